"""Issues access tokens of the gateway itself: JWTs of the type `at+jwt` (RFC 9068)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from secrets import token_urlsafe
from typing import Any

from pydantic_core import to_json

from gateway.auth.clock import Clock
from gateway.auth.jwt.jws import parse_jws
from gateway.auth.jwt.own_token_rules import ACCESS_TOKEN_TYPE, OwnTokenRules
from gateway.errors.tree import Unauthenticated
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.oauth_errors import InvalidRequest

_JTI_BYTES = 16


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token, and how many seconds it is valid from now on.

    With `is_bound`, it is good only with a proof of the key of its client (RFC 9449).
    """

    text: str = field(repr=False)
    expires_in: int
    scopes: Sequence[str]
    is_bound: bool = False


class AccessTokens:
    """Signs the access tokens; nothing else in the gateway does.

    They are for the gateway: `aud` is `iss`. `seconds` is their longest lifetime. `rules` and
    `max_bytes`, the longest token, are those by which the gateway accepts a token.
    """

    def __init__(
        self,
        keys: SigningKeyProvider,
        *,
        rules: OwnTokenRules,
        seconds: int,
        max_bytes: int,
        clock: Clock | None = None,
    ) -> None:
        self.issuer = rules.issuer
        self._keys = keys
        self._rules = rules
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.issuer} seconds={self._seconds}>"

    def issue(
        self,
        subject: str,
        client_id: str,
        scopes: Sequence[str],
        *,
        expires_by: float = inf,
        claims: Mapping[str, Any] | None = None,
    ) -> IssuedToken:
        """Issue a token to a client, which expires at `expires_by` at the latest.

        `claims` are further ones; they replace none of those that each token has. With `cnf`, it is
        bound to a key.

        Raises:
            InvalidRequest: the gateway would refuse the token that is asked for.
            DatabaseUnavailable: the signing keys have not been read yet.
        """
        now = self._clock.now()
        expires_at = int(min(now + self._seconds, expires_by))
        payload = {
            **(claims or {}),
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": subject,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "iat": int(now),
            "exp": expires_at,
            "jti": token_urlsafe(_JTI_BYTES),
        }
        key = self._keys.get_keys().get_signing_key(now)
        text = key.sign(to_json(payload), ACCESS_TOKEN_TYPE)
        self._require_acceptable(text, now)
        return IssuedToken(text, expires_at - int(now), scopes, is_bound="cnf" in payload)

    def _require_acceptable(self, text: str, now: float) -> None:
        """Check the token as the verifier does, so that no client gets a useless one.

        The claims of a subject are those of its provider, which may be longer than the gateway's.

        Raises:
            InvalidRequest: the token is too long, or has a claim that the gateway would refuse.
        """
        if len(text) > self._max_bytes:
            raise InvalidRequest(
                "The token would be longer than this server accepts; ask for fewer scopes or "
                "services, or use the token of a subject with shorter claims.",
                f"the token has {len(text)} bytes; tokens.max_bytes is {self._max_bytes}",
            )
        try:
            jws = parse_jws(text)
            self._rules.check(jws.payload, jws.type, now)
        except Unauthenticated as refusal:
            raise InvalidRequest(
                "This server cannot issue a token about the subject: a claim is too long, or has "
                "characters that cannot be printed.",
                f"the token would be refused: {refusal.reason}: {refusal.explanation}",
            ) from None
