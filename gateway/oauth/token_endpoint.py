"""`POST /oauth/token`: issues access tokens to clients (RFC 6749, section 3.2)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.oauth.client import OAuthClient
from gateway.oauth.form import Form
from gateway.oauth.grants.grant import Grants, TokenRequest
from gateway.oauth.oauth_endpoint import OAuthEndpoint, build_json
from gateway.oauth.oauth_errors import UnsupportedGrantType

PATH = "/oauth/token"


class TokenEndpoint(OAuthEndpoint):
    """Issues a token by the grant that the request names."""

    async def respond(self, request: Request, client: OAuthClient, form: Form) -> Response:
        """Respond with the token.

        Raises:
            OAuthError: the client may not have it.
            GatewayError: a part of the gateway is unavailable.
        """
        grants: Grants = request.app.state.resources[Grants]
        grant = grants.get(form.require("grant_type"))
        if grant is None:
            raise UnsupportedGrantType(f"The grants are {', '.join(grants)}.")
        issued = await grant.issue(TokenRequest(client, form, request))
        return build_json(issued.build_document())
