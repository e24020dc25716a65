"""`Grant`, the interface of the grants of the token endpoint, and what they have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from gateway.auth.principal import SCOPE
from gateway.oauth.access_tokens import IssuedToken
from gateway.oauth.client import OAuthClient
from gateway.oauth.form import Form
from gateway.oauth.oauth_errors import InvalidScope


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request of a client that has authenticated.

    `key_thumbprint` is that of the key to which the token shall be bound, or None.
    """

    client: OAuthClient
    form: Form
    http: Request
    key_thumbprint: str | None = None

    @property
    def key_claims(self) -> dict[str, Any]:
        """The claim that binds the token to the key (RFC 9449, section 6.1); none without one."""
        return {} if self.key_thumbprint is None else {"cnf": {"jkt": self.key_thumbprint}}


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token, and further members of the response (RFC 6749, section 5.1)."""

    token: IssuedToken
    members: Mapping[str, Any] = field(default_factory=dict)

    def build_document(self) -> dict[str, Any]:
        """Build the JSON of the response."""
        return {
            "access_token": self.token.text,
            "token_type": "DPoP" if self.token.is_bound else "Bearer",
            "expires_in": self.token.expires_in,
            "scope": " ".join(self.token.scopes),
            **self.members,
        }


class Grant(ABC):
    """Issues tokens to clients for one `grant_type`."""

    @abstractmethod
    async def issue(self, request: TokenRequest) -> TokenResponse:
        """Issue a token.

        Raises:
            OAuthError: the client may not have it.
            GatewayError: a part of the gateway is unavailable.
        """


class Grants(dict[str, Grant]):
    """The grants by their `grant_type`."""


def read_scopes(form: Form) -> Sequence[str] | None:
    """Return the requested scopes, each once; None if there is no `scope`.

    Raises:
        InvalidScope: they are not scopes separated by single spaces (RFC 6749, section 3.3).
    """
    text = form.get("scope")
    if text is None:
        return None
    scopes = text.split(" ")
    if not all(map(SCOPE.fullmatch, scopes)):
        raise InvalidScope("The scope must be words separated by single spaces.")
    return tuple(dict.fromkeys(scopes))
