"""From the text of a token to the one who is calling: every check, in order."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from pydantic import JsonValue

from gateway.auth.clock import Clock
from gateway.auth.jwks import fetch
from gateway.auth.jwks.key_provider import MAX_WAITING, KeyProvider
from gateway.auth.jwks.key_set import canonical
from gateway.auth.jwt import claims, jws, signatures
from gateway.auth.jwt.jws import Jws
from gateway.auth.jwt.token_cache import TokenCache
from gateway.auth.principal import Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Issuer, Tokens


class TokenVerifier(ABC):
    """The seam between the gateway and whatever verifies its tokens."""

    @abstractmethod
    async def verify(self, token: str) -> Principal:
        """Say who the token belongs to.

        Raises:
            Unauthenticated: the token is not valid.
            IdentityUnavailable: its key is not known, and cannot be asked for now.
        """

    @abstractmethod
    def health(self) -> dict[str, str]:
        """Each issuer's keys: "ok", "stale" or "no keys"."""


class JwtVerifier(TokenVerifier):
    """Verifies JWTs of the issuers in the settings (RFC 8725 has the reasons)."""

    def __init__(
        self, issuers: Mapping[str, tuple[Issuer, KeyProvider]], tokens: Tokens, clock: Clock
    ) -> None:
        self._issuers = issuers
        self._max_bytes = tokens.max_bytes
        self._clock = clock
        self._verified = TokenCache(tokens.cache_entries, tokens.cache_seconds)

    async def verify(self, token: str) -> Principal:
        """Say who the token belongs to; what needs no key is checked before one is sought."""
        if len(token) > self._max_bytes:
            raise Unauthenticated("too_large")
        if not token.isascii():
            raise Unauthenticated("malformed")
        known = self._verified.get(token, self._clock.now(), self._version)
        return await self._verify(token) if known is None else known

    def health(self) -> dict[str, str]:
        """Each issuer's keys: "ok", "stale" or "no keys"."""
        return {name: provider.health() for name, (_, provider) in self._issuers.items()}

    async def _verify(self, token: str) -> Principal:
        signed = jws.parse(token)
        issuer, provider = self._issuer(signed.payload)
        principal = self._read(signed, issuer)
        key = await provider.key(signed.key_id, signed.algorithm)
        version = provider.version
        if not signatures.verifies(key, signed.signing_input, signed.signature):
            raise Unauthenticated("bad_signature")
        # Waiting for the key takes time, and the token may not have had it.
        now = self._clock.now()
        claims.check_expiry(principal.expires_at, now, issuer.clock_skew_seconds)
        self._verified.put(token, principal, now, version)
        return principal

    def _read(self, signed: Jws, issuer: Issuer) -> Principal:
        if canonical(signed.algorithm) not in issuer.algorithms:
            raise Unauthenticated("algorithm_not_allowed")
        return claims.read(signed.payload, issuer, self._clock.now())

    def _issuer(self, payload: Mapping[str, JsonValue]) -> tuple[Issuer, KeyProvider]:
        name = payload.get("iss")
        found = self._issuers.get(name) if isinstance(name, str) else None
        if found is None:
            raise Unauthenticated("unknown_issuer")
        return found

    def _version(self, issuer: str) -> int:
        return self._issuers[issuer][1].version


@asynccontextmanager
async def open_verifier(
    issuers: Sequence[Issuer], tokens: Tokens, *, clock: Clock | None = None
) -> AsyncIterator[TokenVerifier]:
    """Load every issuer's keys and keep them fresh until the end of the block.

    A provider that does not answer is not fatal: its tokens meet 503 until it does.

    Raises:
        SettingsMistaken: an issuer is named twice, or a `jwks_file` holds no keys.
    """
    clock = clock or Clock()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(fetch.open_client())
        places = asyncio.Semaphore(MAX_WAITING)
        providers: dict[str, tuple[Issuer, KeyProvider]] = {}
        for issuer in issuers:
            if issuer.issuer in providers:
                raise InvalidSettings([ConfigError("issuers", f"{issuer.issuer} is named twice")])
            fetch_keys = partial(fetch.fetch, client, issuer, tokens.keys_timeout_seconds)
            provider = KeyProvider(issuer.issuer, fetch_keys, tokens, clock, places=places)
            stack.push_async_callback(provider.close)
            providers[issuer.issuer] = issuer, provider
        await asyncio.gather(*(_start(issuer, it) for issuer, it in providers.values()))
        yield JwtVerifier(providers, tokens, clock)


async def _start(issuer: Issuer, provider: KeyProvider) -> None:
    why = await provider.start()
    if why and issuer.jwks_file is not None:
        where = f"issuers, {issuer.issuer}: jwks_file"
        raise InvalidSettings([ConfigError(where, f"{issuer.jwks_file}: {why}")])
