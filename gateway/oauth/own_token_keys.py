"""The keys that verify the gateway's own access tokens; `own_token_rules.py` has the rules.

`open_own_tokens` lets the verifier accept these tokens; `access_tokens.py` issues them.

They are verified as those of a provider are, with keys that are already there: nothing is fetched.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.auth.clock import Clock
from gateway.auth.jwks.key_provider import KeyStatus
from gateway.auth.jwt.own_token_rules import OwnTokenRules
from gateway.auth.jwt.refusal import show
from gateway.auth.jwt.signatures import Key, construct_key
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.verifier import JwtVerifier, TrustedIssuer
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.internal_token_verifier import InternalTokenVerifier
from gateway.oauth.oauth_requirements import find_lifetime_errors, is_oauth_on
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings

_ALGORITHMS = ("ES256", "EdDSA")


class _OwnKey(NamedTuple):
    algorithm: str
    key: Key
    published_until: float


class OwnKeys:
    """The public keys of the gateway, for the verifier (see `IssuerKeys`).

    A key verifies as long as it is published: until the last token that it has signed has expired.
    """

    def __init__(self, issuer: str, keys: SigningKeyProvider, clock: Clock) -> None:
        self.issuer = issuer
        self.version = 0
        self._signing_keys = keys
        self._clock = clock
        self._prepared_for: SigningKeys | None = None
        self._prepared: dict[str, _OwnKey] = {}
        keys.call_on_change(self._count_change)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.issuer} version={self.version}>"

    def health(self) -> KeyStatus:
        """Return the state of the keys: they are there, or have not been read yet."""
        try:
            self._signing_keys.get_keys()
        except DatabaseUnavailable:
            return KeyStatus.NO_KEYS
        return KeyStatus.OK

    async def get_keys(
        self, key_id: str | None, algorithm: str, tenant: str | None = None
    ) -> Sequence[Key]:
        """Return the key with this id if it verifies the algorithm.

        Raises:
            Unauthenticated: the gateway has no such key.
            DatabaseUnavailable: the keys have not been read yet.
        """
        known = self._prepare().get(key_id or "")
        if known is None or self._clock.now() >= known.published_until:
            explanation = f"the gateway has no key with the kid {show(key_id)}, or no longer"
            raise Unauthenticated("unknown_key", explanation)
        return [known.key] if known.algorithm == algorithm else []

    async def refetch(self, version: int) -> bool:
        """Whether there are other keys than those of `version`; nothing can be fetched."""
        return self.version != version

    def _prepare(self) -> dict[str, _OwnKey]:
        """Return the keys by their ids; each is prepared once."""
        keys = self._signing_keys.get_keys()
        if keys is not self._prepared_for:
            self._prepared = {
                period.key.key_id: _OwnKey(
                    period.key.algorithm,
                    construct_key(period.key.public_jwk, period.key.algorithm),
                    period.published_until,
                )
                for period in keys.periods
            }
            self._prepared_for = keys
        return self._prepared

    def _count_change(self) -> None:
        self.version += 1


class OwnTokenVerifier(JwtVerifier):
    """Verifies the access tokens of the gateway alone, and also those that are revoked."""


def open_own_tokens(
    settings: Settings, resources: Resources, verifier: JwtVerifier, *, clock: Clock | None = None
) -> None:
    """Let the verifier accept the access tokens of the gateway, if OAuth is on.

    Until the signing keys have been read, they get a 503. What verifies the tokens of the gateway
    for the endpoints about them goes into `resources`.

    Raises:
        InvalidSettings: the tokens would live longer than `tokens.max_lifetime_seconds`.
    """
    if errors := list(find_lifetime_errors(settings)):
        raise InvalidSettings(errors)
    keys: SigningKeyProvider | None = resources.get(SigningKeyProvider)
    if keys is None or not is_oauth_on(settings):
        return
    clock = clock or Clock()
    tokens: InternalTokens = resources[InternalTokens]
    trusted = trust_own_tokens(tokens.issuer, keys, verifier, clock)
    uncached = settings.tokens.model_copy(update={"cache_seconds": 0})
    resources[OwnTokenVerifier] = OwnTokenVerifier({tokens.issuer: trusted}, uncached, clock)
    resources[InternalTokenVerifier] = InternalTokenVerifier(
        tokens, resources[RevocationCheck], clock
    )


def trust_own_tokens(
    issuer: str, keys: SigningKeyProvider, verifier: JwtVerifier, clock: Clock
) -> TrustedIssuer:
    """Let the verifier accept access tokens of `identity.issuer` that these keys have signed."""
    provider = OwnKeys(issuer, keys, clock)
    rules = OwnTokenRules(issuer, verifier.list_issuers())
    trusted = TrustedIssuer(None, _ALGORITHMS, rules, provider)
    verifier.trust(issuer, trusted)
    return trusted
