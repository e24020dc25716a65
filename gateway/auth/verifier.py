"""Verifies an access token: token cache, parsing, claims, key, signature, in that order."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from gateway.auth.clock import Clock
from gateway.auth.jwks.fetch import fetch_key_set, open_client
from gateway.auth.jwks.key_file import find_key_file_errors
from gateway.auth.jwks.key_provider import MAX_WAITERS, KeyProvider
from gateway.auth.jwks.key_set import get_canonical_algorithm
from gateway.auth.jwt import claims, signatures
from gateway.auth.jwt.jws import Jws, parse_jws
from gateway.auth.jwt.token_cache import TokenCache
from gateway.auth.principal import Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.errors import InvalidSettings
from gateway.settings.issuer_conflicts import find_issuer_conflicts
from gateway.settings.schema import Issuer, Tokens


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


class JwtVerifier(TokenVerifier):
    """Verifies JWTs of the configured issuers, as RFC 8725 recommends."""

    def __init__(
        self, issuers: Mapping[str, tuple[Issuer, KeyProvider]], tokens: Tokens, clock: Clock
    ) -> None:
        self._issuers = issuers
        self._max_bytes = tokens.max_bytes
        self._clock = clock
        self._token_cache = TokenCache(tokens.cache_entries, tokens.cache_seconds)

    async def verify(self, token: str) -> Principal:
        """Verify a token and return its principal; a token in the cache is not verified again."""
        if len(token) > self._max_bytes:
            raise Unauthenticated("too_large")
        if not token.isascii():
            raise Unauthenticated("malformed")
        cached = self._token_cache.get(token, self._clock.now(), self._get_key_version)
        return await self._verify_uncached(token) if cached is None else cached

    def health(self) -> dict[str, str]:
        """Return the state of each issuer's keys: "ok", "stale" or "no keys"."""
        return {name: provider.health() for name, (_, provider) in self._issuers.items()}

    async def _verify_uncached(self, token: str) -> Principal:
        # All checks that need no key come first: only a token that passes them may wait for a
        # fetch of its issuer's keys. Nothing is trusted until the signature has been verified.
        jws = parse_jws(token)
        issuer, provider = self._find_issuer(jws.payload)
        principal = self._check_claims(jws, issuer)
        key = await provider.get_key(jws.key_id, jws.algorithm)
        key_version = provider.version
        if not signatures.is_valid_signature(key, jws.signing_input, jws.signature):
            raise Unauthenticated("bad_signature")
        # The token may have expired while it waited for the key.
        now = self._clock.now()
        claims.check_expiry(principal.expires_at, now, issuer.clock_skew_seconds)
        self._token_cache.put(token, principal, now, key_version)
        return principal

    def _find_issuer(self, payload: Mapping[str, JsonValue]) -> tuple[Issuer, KeyProvider]:
        name = payload.get("iss")
        found = self._issuers.get(name) if isinstance(name, str) else None
        if found is None:
            raise Unauthenticated("unknown_issuer")
        return found

    def _check_claims(self, jws: Jws, issuer: Issuer) -> Principal:
        if get_canonical_algorithm(jws.algorithm) not in issuer.algorithms:
            raise Unauthenticated("algorithm_not_allowed")
        return claims.check_claims(jws.payload, issuer, self._clock.now())

    def _get_key_version(self, issuer: str) -> int:
        return self._issuers[issuer][1].version


@asynccontextmanager
async def open_verifier(
    issuers: Sequence[Issuer],
    tokens: Tokens,
    *,
    clock: Clock | None = None,
    ca_file: Path | None = None,
) -> AsyncIterator[TokenVerifier]:
    """Fetch every issuer's keys, and refresh them until the end of the block.

    `ca_file` has CAs to trust in addition to those of the system.

    An issuer that cannot be reached does not prevent the start: until its keys have been fetched,
    requests with its tokens get a 503.

    Raises:
        InvalidSettings: two issuers are in conflict, or a `jwks_file` has no usable key.
    """
    clock = clock or Clock()
    key_file_errors = await asyncio.to_thread(find_key_file_errors, issuers)
    if errors := [*find_issuer_conflicts(issuers), *key_file_errors]:
        raise InvalidSettings(errors)
    async with AsyncExitStack() as stack:
        http = await asyncio.to_thread(open_client, ca_file)
        client = await stack.enter_async_context(http)
        waiter_slots = asyncio.Semaphore(MAX_WAITERS)
        providers: dict[str, tuple[Issuer, KeyProvider]] = {}
        for issuer in issuers:
            name = issuer.issuer
            fetch = partial(fetch_key_set, client, issuer, tokens.keys_timeout_seconds)
            provider = KeyProvider(name, fetch, tokens, clock, waiter_slots=waiter_slots)
            stack.push_async_callback(provider.close)
            providers[name] = issuer, provider
        await asyncio.gather(*(provider.start() for _, provider in providers.values()))
        yield JwtVerifier(providers, tokens, clock)
