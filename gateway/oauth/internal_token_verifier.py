"""`InternalTokenVerifier`: verifies internal tokens for the services that ask about them.

A service verifies them itself, with the published keys. What it cannot know is whether they have
been revoked.
"""

from gateway.auth.clock import Clock
from gateway.auth.jwt import strict_json
from gateway.auth.jwt.actors import list_actors
from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.ids import read_id
from gateway.auth.jwt.own_token_rules import MAX_SOURCES, read_sources, read_subject
from gateway.auth.principal import Principal
from gateway.auth.revocation_check import RevocationCheck
from gateway.errors.tree import Unauthenticated
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.signing_key import TOKEN_TYPE


class InternalTokenVerifier:
    """Verifies the tokens that `InternalTokens` of any process of this gateway has issued."""

    def __init__(
        self, tokens: InternalTokens, revocations: RevocationCheck, clock: Clock | None = None
    ) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock or Clock()

    def read(self, token: str) -> Claims | None:
        """Return the claims that a published key has signed; None if this is no internal token.

        Raises:
            DatabaseUnavailable: the signing keys have not been read yet.
        """
        for key in self._tokens.keys.get_keys().list_published(self._clock.now()):
            try:
                return strict_json.parse_object(key.verify(token, TOKEN_TYPE))
            except ValueError:
                continue
        return None

    def check(self, claims: Claims, service: str) -> None:
        """Require that the token is valid now, and for this service.

        Raises:
            Unauthenticated: it is for another service, has expired, or has been revoked.
            DatabaseUnavailable: the revocations have not been read yet.
        """
        if claims.get("iss") != self._tokens.issuer or claims.get("aud") != service:
            raise Unauthenticated("wrong_audience", "it is not for the service that asks")
        expires_at, issued_at = claims.get("exp"), claims.get("iat")
        if not isinstance(expires_at, int) or not isinstance(issued_at, int):
            raise Unauthenticated("invalid_exp")
        if expires_at <= self._clock.now():
            raise Unauthenticated("expired")
        issuer, subject = read_subject(claims)
        self._revocations.require_unrevoked(
            Principal(
                issuer=issuer,
                subject=subject,
                scopes=frozenset(),
                user_id=None,
                service=None,
                tenant=None,
                expires_at=expires_at,
                token_id=read_id(claims.get("jti")),
                issued_at=issued_at,
                actors=list_actors(_get_inner(claims), self._tokens.issuer, None),
                token_issuer=self._tokens.issuer,
                sources=read_sources(claims, MAX_SOURCES + 1),  # with the token of the caller
            )
        )


def _get_inner(claims: Claims) -> Claims:
    """Return the actors without the first one, which is always the gateway."""
    act = claims.get("act")
    return act if isinstance(act, dict) else {}
