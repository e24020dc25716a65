"""Verifies an access token: token cache, parsing, claims, key, signature, in that order."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from gateway.auth.clock import Clock
from gateway.auth.jwks.fetch import fetch_key_set, find_proxy_errors, open_client
from gateway.auth.jwks.key_file import find_key_file_errors
from gateway.auth.jwks.key_provider import MAX_WAITERS, KeyProvider, KeyStatus
from gateway.auth.jwt import signatures
from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.claims import ClaimRules
from gateway.auth.jwt.jws import Jws, parse_jws
from gateway.auth.jwt.refusal import show, show_all
from gateway.auth.jwt.token_cache import TokenCache
from gateway.auth.principal import Principal
from gateway.auth.revocation_check import RevocationCheck
from gateway.errors.tree import Unauthenticated
from gateway.settings.errors import InvalidSettings
from gateway.settings.issuer_conflicts import find_issuer_conflicts
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.issuer_types import get_canonical_algorithm
from gateway.settings.schema import Issuer, Tokens

MAX_CANDIDATES = 4
"""The maximum of keys that are tried for one signature."""

_FOR_MICROSOFT_GRAPH = (
    "; its header has a nonce, as tokens of Entra ID for Microsoft Graph have, which only Graph "
    "can verify: request a token for a scope of this API"
)


VerifyKey = Callable[[str, float], Principal]
"""Returns the caller of an API key at a time, in seconds since the epoch, or raises as `verify`."""


class TokenVerifier(ABC):
    """The interface of token verification, behind which the engine can be replaced."""

    @abstractmethod
    async def verify(self, token: str) -> Principal:
        """Verify a token and return its principal.

        Raises:
            Unauthenticated: the token is not valid.
            IdentityUnavailable: its key is not known and cannot be fetched now.
        """

    @abstractmethod
    def health(self) -> dict[str, str]:
        """Return the state of each issuer's keys: "ok", "stale" or "no keys"."""


class TokenRules(Protocol):
    """The rules of one issuer for the claims of its tokens; see `ClaimRules`."""

    def check(self, claims: Claims, header_type: str, now: float) -> Principal: ...

    def check_expiry(self, expires_at: float, now: float) -> None: ...


class IssuerKeys(Protocol):
    """The keys of one issuer; `version` increases whenever they change. See `KeyProvider`."""

    issuer: str
    version: int

    def health(self) -> KeyStatus: ...

    async def get_keys(
        self, key_id: str | None, algorithm: str, tenant: str | None = None
    ) -> Sequence[signatures.Key]: ...

    async def refetch(self, version: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One value of `iss` that is accepted; `tenant` is the tenant of Entra ID in it, or None."""

    tenant: str | None
    algorithms: Collection[str]
    rules: TokenRules
    provider: IssuerKeys


class JwtVerifier(TokenVerifier):
    """Verifies JWTs of the configured issuers, as RFC 8725 recommends."""

    def __init__(self, issuers: Mapping[str, TrustedIssuer], tokens: Tokens, clock: Clock) -> None:
        self._issuers = dict(issuers)
        self._revocations: RevocationCheck | None = None
        self._key_prefix = ""
        self._verify_key: VerifyKey | None = None
        self._tokens = tokens
        self._max_bytes = tokens.max_bytes
        self._clock = clock
        self._token_cache = TokenCache(tokens.cache_entries, tokens.cache_seconds)

    async def verify(self, token: str) -> Principal:
        """Verify a token and return its principal; a token in the cache is not verified again."""
        if len(token) > self._max_bytes:
            hint = f"{len(token)} bytes; tokens.max_bytes is {self._max_bytes}"
            raise Unauthenticated("too_large", hint)
        if not token.isascii():
            raise Unauthenticated("malformed")
        if self._verify_key is not None and token.startswith(self._key_prefix):
            return self._verify_api_key(self._verify_key, token)
        cached = self._token_cache.get(token, self._clock.now(), self._get_key_version)
        return await self._verify_uncached(token) if cached is None else cached

    def accept_keys(self, prefix: str, verify: VerifyKey) -> None:
        """Accept API keys, whose text begins with `prefix`, in place of a token."""
        self._key_prefix, self._verify_key = prefix, verify

    def list_issuers(self) -> Sequence[str]:
        """Return each value of `iss` that is accepted."""
        return list(self._issuers)

    def trust(self, name: str, issuer: TrustedIssuer) -> None:
        """Accept the tokens of one more issuer: those that the gateway itself issues.

        Raises:
            ValueError: it is the issuer of a provider, which could issue tokens in its name.
        """
        if name in self._issuers:
            raise ValueError(f"{name} is an issuer of the settings")
        self._issuers[name] = issuer

    def refuse_revoked(self, revocations: RevocationCheck) -> None:
        """Refuse the tokens that are revoked, now and later."""
        self._revocations = revocations
        revocations.call_on_change(self._token_cache.remove)

    def accept_audience(self, audience: str, issuers: Sequence[Issuer]) -> "JwtVerifier":
        """Return a verifier with the same keys and revocations, for tokens of another audience.

        It accepts neither API keys nor tokens that the gateway itself issues. `issuers` are those
        of the settings.
        """
        trusted = dict[str, TrustedIssuer]()
        for issuer in issuers:
            rules = ClaimRules(issuer.model_copy(update={"audience": audience}))
            for name, tenant in list_issuer_names(issuer).items():
                provider = self._issuers[name].provider
                trusted[name] = TrustedIssuer(tenant, issuer.algorithms, rules, provider)
        verifier = JwtVerifier(trusted, self._tokens, self._clock)
        if self._revocations is not None:
            verifier.refuse_revoked(self._revocations)
        return verifier

    def health(self) -> dict[str, str]:
        """Return the state of each issuer's keys: "ok", "stale" or "no keys"."""
        providers = dict.fromkeys(issuer.provider for issuer in self._issuers.values())
        return {provider.issuer: provider.health() for provider in providers}

    def _verify_api_key(self, verify: VerifyKey, key: str) -> Principal:
        principal = verify(key, self._clock.now())
        if self._revocations is not None:
            self._revocations.require_unrevoked(principal)
        return principal

    async def _verify_uncached(self, token: str) -> Principal:
        # All checks that need no key come first: only a token that passes them may wait for a
        # fetch of its issuer's keys. Nothing is trusted until the signature has been verified.
        jws = parse_jws(token)
        issuer = self._find_issuer(jws.payload)
        principal = self._check_claims(jws, issuer)
        key_version = await _verify_signature(jws, issuer)
        # The token may have expired while it waited for the key.
        now = self._clock.now()
        issuer.rules.check_expiry(principal.expires_at, now)
        # The cache has no revoked token, so that a cached one needs no check.
        if self._revocations is not None:
            self._revocations.require_valid(principal, now)
        self._token_cache.put(token, principal, now, key_version)
        return principal

    def _find_issuer(self, payload: Claims) -> TrustedIssuer:
        name = payload.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise Unauthenticated("unknown_issuer", self._explain_issuer(name))
        if issuer.tenant is not None and payload.get("tid") != issuer.tenant:
            got = show(payload.get("tid"))
            raise Unauthenticated("wrong_tenant", f"iss is {show(name)}, but tid is {got}")
        return issuer

    def _explain_issuer(self, name: JsonValue) -> str:
        known = sorted(self._issuers)
        similar = (
            []
            if not isinstance(name, str)
            else [other for other in known if other.rstrip("/") == name.rstrip("/")]
        )
        hint = "; they differ in the last slash" if similar else ""
        return f"iss is {show(name)}; the setting issuers has {show_all(similar or known)}{hint}"

    def _check_claims(self, jws: Jws, issuer: TrustedIssuer) -> Principal:
        if get_canonical_algorithm(jws.algorithm) not in issuer.algorithms:
            allowed = ", ".join(issuer.algorithms)
            raise Unauthenticated(
                "algorithm_not_allowed", f"alg is {show(jws.algorithm)}; allowed are {allowed}"
            )
        return issuer.rules.check(jws.payload, jws.type, self._clock.now())

    def _get_key_version(self, issuer: str) -> int:
        return self._issuers[issuer].provider.version


async def _verify_signature(jws: Jws, issuer: TrustedIssuer) -> int:
    """Verify the signature, and return the version of the keys.

    If no known key has made it, the keys are fetched again, within the cool-down.

    Raises:
        Unauthenticated: no key of the issuer has made the signature.
        IdentityUnavailable: its key is not known and cannot be fetched now.
    """
    provider = issuer.provider
    while True:
        keys = await provider.get_keys(jws.key_id, jws.algorithm, issuer.tenant)
        version = provider.version
        if len(keys) > MAX_CANDIDATES:
            hint = f"{len(keys)} keys may have signed it; the header needs a kid of its own"
            raise Unauthenticated("ambiguous_key", hint)
        for key in keys:
            if signatures.is_valid_signature(key, jws.signing_input, jws.signature):
                return version
        if not await provider.refetch(version):
            break
    if keys:
        hint = _FOR_MICROSOFT_GRAPH if jws.has_nonce else ""
        explanation = f"no key has made it; the kid is {show(jws.key_id)}{hint}"
        raise Unauthenticated("bad_signature", explanation)
    hint = f"alg is {show(jws.algorithm)}, which no key with the kid {show(jws.key_id)} may verify"
    raise Unauthenticated("algorithm_not_allowed_for_key", hint)


@asynccontextmanager
async def open_verifier(  # noqa: PLR0913 - one keyword per setting
    issuers: Sequence[Issuer],
    tokens: Tokens,
    *,
    clock: Clock | None = None,
    ca_file: Path | None = None,
    max_waiters: int = MAX_WAITERS,
    gateway: str | None = None,
    claims: Collection[str] = (),
) -> AsyncIterator[JwtVerifier]:
    """Fetch every issuer's keys, and refresh them until the end of the block.

    `ca_file` has CAs to trust in addition to those of the system. At most `max_waiters`
    requests, over all issuers, wait for an unknown key at a time. `gateway` is `identity.issuer`.
    `claims` are those that principals have in `Principal.claims`.

    An issuer that cannot be reached does not prevent the start: until its keys have been fetched,
    requests with its tokens get a 503.

    Raises:
        InvalidSettings: two issuers are in conflict, or a `jwks_file` has no usable key, or the
            proxy for keys cannot be used.
    """
    clock = clock or Clock()
    key_file_errors = await asyncio.to_thread(find_key_file_errors, issuers)
    proxy_errors = await asyncio.to_thread(find_proxy_errors, tokens.keys_proxy)
    if errors := [*find_issuer_conflicts(issuers), *key_file_errors, *proxy_errors]:
        raise InvalidSettings(errors)
    async with AsyncExitStack() as stack:
        opening = partial(open_client, ca_file, proxy=tokens.keys_proxy)
        client = await stack.enter_async_context(await asyncio.to_thread(opening))
        waiter_slots = asyncio.Semaphore(max_waiters)
        providers = list[KeyProvider]()
        trusted = dict[str, TrustedIssuer]()
        for issuer in issuers:
            fetch = partial(fetch_key_set, client, issuer, tokens.keys_timeout_seconds)
            provider = KeyProvider(issuer.issuer, fetch, tokens, clock, waiter_slots=waiter_slots)
            stack.push_async_callback(provider.close)
            providers.append(provider)
            rules = ClaimRules(issuer, gateway, claims)
            for name, tenant in list_issuer_names(issuer).items():
                trusted[name] = TrustedIssuer(tenant, issuer.algorithms, rules, provider)
        await asyncio.gather(*(provider.start() for provider in providers))
        yield JwtVerifier(trusted, tokens, clock)
