"""`ExplainingVerifier`: verifies tokens as the gateway does, and says what revokes one."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial

from gateway.api_keys.api_key import PREFIX
from gateway.api_keys.key_verifier import KeyVerifier
from gateway.auth.clock import Clock
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.explanation.explanation import GuardRule
from gateway.explanation.stored_state import StoredState
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.setting_errors import load_key_file, load_signing_keys
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.identity.stored_keys import read_stored_keys
from gateway.oauth.oauth_requirements import is_oauth_on
from gateway.oauth.own_token_keys import trust_own_tokens
from gateway.settings.schema import Settings
from gateway.storage.change_feed import Changes
from gateway.storage.open_storage import read_existing


class ExplainingVerifier(TokenVerifier):
    """A verifier that looks revocations up in the database, and keeps no token."""

    def __init__(self, verifier: TokenVerifier, stored: StoredState) -> None:
        self._verifier = verifier
        self._stored = stored

    async def verify(self, token: str) -> Principal:
        """Verify a token or an API key.

        Raises:
            Unauthenticated: it is not valid; the explanation names the revocation, if it is one.
            IdentityUnavailable: its key is not known and cannot be fetched now.
            DatabaseUnavailable: the database has its key, or the API keys, and cannot be used.
        """
        try:
            principal = await self._verifier.verify(token)
        except DatabaseUnavailable as error:
            raise DatabaseUnavailable(error.retry_after, self._stored.obstacle) from error
        if found := self._stored.find_revocation(principal):
            raise Unauthenticated("revoked", found)
        return principal

    def health(self) -> dict[str, str]:
        """Return the state of each issuer's keys."""
        return self._verifier.health()

    def describe(self) -> GuardRule:
        """Describe what is known about the revocation of a token that `verify` has accepted."""
        if self._stored.obstacle:
            return GuardRule("revoked", f"cannot be known: {self._stored.obstacle}")
        return GuardRule("revoked", "no revocation names the token", is_met=True)


@asynccontextmanager
async def open_explaining_verifier(
    settings: Settings, stored: StoredState, claims: Collection[str], *, has_token: bool
) -> AsyncIterator[ExplainingVerifier]:
    """Open a verifier of the tokens of providers, those of the gateway, and API keys.

    Without a token, no key is needed, so none is fetched. `claims` are those that policies read.
    """
    issuers, gateway = settings.issuers if has_token else (), settings.identity.issuer
    async with open_verifier(
        issuers, settings.tokens, ca_file=settings.tls.ca_file, gateway=gateway, claims=claims
    ) as verifier:
        keys = KeyVerifier()
        if not stored.is_unavailable:
            keys.apply(Changes(stored.read_api_keys(), is_complete=True))
        verifier.accept_keys(PREFIX, keys.verify)
        signing_keys = _load_signing_keys(settings)
        may_issue = signing_keys is not None or stored.is_unavailable
        if may_issue and gateway is not None and is_oauth_on(settings):
            trust_own_tokens(gateway, SigningKeyProvider(signing_keys), verifier, Clock())
        yield ExplainingVerifier(verifier, stored)


def _load_signing_keys(settings: Settings) -> SigningKeys | None:
    """Return the keys of the file, or of the database; None if there are none, or it is away."""
    loaded = load_signing_keys(settings.identity)
    if loaded is not None:
        return loaded.keys
    key_file = load_key_file(settings)
    if key_file is None:
        return None
    return read_existing(settings, partial(read_stored_keys, encryption=key_file.encryption))
