"""The fields that tell the service of a proxied route who the caller is."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.requests import Request

from gateway.auth.dependencies import find_principal
from gateway.auth.principal import Principal
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.token_claims import iter_held_scopes
from gateway.proxy.declaration.proxy import Proxy
from gateway.resources import Resources

_SAFE = "!#$&'()*+/:=?@[]^`|~"  # besides letters, digits and -._
"""Characters that stay: no `%`, quote or backslash, and none that separates values."""


class IdentityFields:
    """Builds the identity fields of each request to a proxied route."""

    def __init__(self, proxy: Proxy, resources: Resources) -> None:
        self._identity = "none" if proxy.public is not None else proxy.identity
        self._service = proxy.to
        self._scopes = proxy.scopes
        if self._identity == "token":
            self._tokens: InternalTokens = resources[InternalTokens]

    def build(self, request: Request) -> Sequence[tuple[bytes, bytes]]:
        """Build the fields; none for a caller without a token."""
        principal = find_principal(request)
        if principal is None or self._identity == "none":
            return ()
        if self._identity == "headers":
            return build_user_fields(principal, self._scopes)
        token = self._tokens.issue(principal, self._service, self._scopes)
        return ((b"authorization", b"Bearer " + token.encode()),)


def build_user_fields(principal: Principal, scopes: Sequence[str]) -> Sequence[tuple[bytes, bytes]]:
    """Build `X-User-*`, without those that the token of the caller says nothing about.

    A service that another issuer than `X-User-Issuer` names, as in an exchanged token, is left out:
    the two issuers may give one name to two services.
    """
    has_one_issuer = principal.token_issuer == principal.issuer
    values = {
        b"x-user-id": _encode(principal.user_id or ""),
        b"x-user-issuer": _encode(principal.issuer),
        b"x-user-scopes": b" ".join(map(_encode, iter_held_scopes(principal, scopes))),
        b"x-user-tenant": _encode(principal.tenant or ""),
        b"x-user-service": _encode(principal.service or "") if has_one_issuer else b"",
    }
    return [(name, value) for name, value in values.items() if value]


def _encode(value: str) -> bytes:
    """Percent-encode what could split a field value, or be read as a part of a list."""
    return quote(value, safe=_SAFE, errors="surrogatepass").encode()
