"""Issues access tokens of the gateway itself: JWTs of the type `at+jwt` (RFC 9068)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from secrets import token_urlsafe
from typing import Any

from pydantic_core import to_json

from gateway.auth.clock import Clock
from gateway.auth.jwt.own_claims import ACCESS_TOKEN_TYPE
from gateway.identity.signing_key_provider import SigningKeyProvider

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

    They are for the gateway: `aud` is `iss`. `seconds` is their longest lifetime.
    """

    def __init__(
        self, issuer: str, keys: SigningKeyProvider, *, seconds: int, clock: Clock | None = None
    ) -> None:
        self.issuer = issuer
        self._keys = keys
        self._seconds = seconds
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
        return IssuedToken(text, expires_at - int(now), scopes, is_bound="cnf" in payload)
