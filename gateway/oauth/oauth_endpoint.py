"""`OAuthEndpoint`: the base class of the endpoints that only an authenticated client may use."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors.tree import (
    DatabaseUnavailable,
    IdentityUnavailable,
    ReplayCacheUnavailable,
)
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_authentication import ClientAuthentication
from gateway.oauth.form import Form, read_form
from gateway.oauth.oauth_errors import OAuthError
from gateway.request_context import RequestContext
from gateway.routing.response_endpoint import ResponseEndpoint


class OAuthEndpoint(ResponseEndpoint):
    """Reads the form, authenticates the client, and responds, also to an `OAuthError`.

    The OpenAPI document has `summary`, the JSON schemas of `parameters`, of which those in
    `required` must be sent, the descriptions of `header_fields` by their names, and `response`, the
    schema of the JSON of status 200, if it has any.
    """

    summary: ClassVar[str]
    parameters: ClassVar[Mapping[str, Mapping[str, Any]]]
    required: ClassVar[tuple[str, ...]]
    header_fields: ClassVar[Mapping[str, str]] = {}
    response: ClassVar[Mapping[str, Any] | None] = None

    async def __call__(self, request: Request) -> Response:
        """Serve one request.

        Raises:
            GatewayError: a limit refuses it, or a part of the gateway is unavailable.
        """
        context = RequestContext.of(request.scope)
        context.is_private = True
        authentication: ClientAuthentication
        authentication = request.app.state.resources[ClientAuthentication]
        try:
            form = await read_form(request)
            client = await authentication.authenticate(request, form)
            return await self.respond(request, client, form)
        except OAuthError as error:
            return error.build_response(context)
        except (DatabaseUnavailable, IdentityUnavailable, ReplayCacheUnavailable) as error:
            context.log_fields["explanation"] = error.explanation
            raise

    @abstractmethod
    async def respond(self, request: Request, client: OAuthClient, form: Form) -> Response:
        """Respond to a client that has authenticated.

        Raises:
            OAuthError: the request is refused.
            GatewayError: a part of the gateway is unavailable.
        """
