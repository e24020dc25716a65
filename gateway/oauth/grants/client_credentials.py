"""The grant `client_credentials`: a token of the client itself (RFC 6749, section 4.4)."""

from collections.abc import Sequence

from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.grants.grant import Grant, TokenRequest, TokenResponse, read_scopes
from gateway.oauth.oauth_errors import InvalidScope

GRANT_TYPE = "client_credentials"


class ClientCredentials(Grant):
    """Issues tokens whose subject is the client, with all its scopes or those it asks for."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def issue(self, request: TokenRequest) -> TokenResponse:
        """Issue a token.

        Raises:
            InvalidScope: the client asks for a scope that it does not have, or has none at all
                (RFC 6749, section 3.3).
            DatabaseUnavailable: the signing keys have not been read yet.
        """
        client = request.client
        scopes = read_scopes(request.form) or client.scopes
        _require_scopes(scopes, client.scopes)
        issued = self._tokens.issue(client.id, client.id, scopes, claims=request.key_claims)
        return TokenResponse(issued)


def _require_scopes(requested: Sequence[str], allowed: Sequence[str]) -> None:
    if not requested:
        raise InvalidScope("The client has no scopes of its own.")
    if missing := [scope for scope in requested if scope not in allowed]:
        raise InvalidScope(
            "The client may not have each scope that it asks for.",
            f"the client lacks {' '.join(missing[:5])}",
        )
