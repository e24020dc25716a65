"""`/auth/verify`: responds with 200 if another gateway may serve a request, else with the error.

It exists only with `server.forward_auth`: a trusted proxy that passes every path on would let its
own clients ask, and read the identity in the response.

`/auth/verify/{path}` takes the path that Envoy appends. Both accept every method: Envoy uses that
of the original request.
"""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.auth.dependencies import public
from gateway.client_ip import is_from_proxy
from gateway.forward_auth.identity import build_identity, list_missing
from gateway.forward_auth.original_request import (
    InvalidOriginalRequest,
    OriginalRequest,
    read_original_request,
)
from gateway.forward_auth.verified_routes import VerifiedRoute, VerifiedRoutes
from gateway.middleware.target_validation import MAX_QUERY_PARAMETERS
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.proxy.path.ambiguous_path import find_ambiguity
from gateway.request_context import PUBLIC_PATH, RequestContext
from gateway.request_path import InvalidPath
from gateway.routing.response_endpoint import ResponseEndpoint
from gateway.routing.target_scope import build_target_scope
from gateway.settings.errors import escape

PATH = "/auth/verify"

_REFUSALS = (400, 401, 403, 429, 503)
"""The statuses beside 200; a guard of a company may choose others."""

_MAX_LOGGED_PATH = 256  # characters

router = APIRouter(
    dependencies=[public("the rules are those of the route that is asked about")],
    include_in_schema=False,
)


class VerifyNamed(ResponseEndpoint):
    """Decides about the request that the header fields name."""

    async def __call__(self, request: Request) -> Response:
        """Respond with 200, or raise the error of a guard."""
        response, _ = await _verify(request, None)
        return response


class VerifyAppended(ResponseEndpoint):
    """Decides about the request whose path is appended, as Envoy does."""

    async def __call__(self, request: Request) -> Response:
        """Respond with 200, or raise the error of a guard."""
        scope = request.scope
        prefix = f"{scope['root_path']}{PATH}".encode()
        path = scope["raw_path"].removeprefix(prefix)
        appended = OriginalRequest(request.method, path, scope["query_string"])
        response, route = await _verify(request, appended)
        # Envoy leaves a field of its client in the request if this response does not replace it.
        missing = ",".join(list_missing(response.headers, route.proxy))
        response.headers["X-Envoy-Auth-Headers-To-Remove"] = missing
        return response


for _path, _endpoint in ((PATH, VerifyNamed()), (f"{PATH}/{{path:path}}", VerifyAppended())):
    router.add_api_route(
        _path,
        _endpoint,
        methods=[*PROXIED_METHODS],
        response_class=Response,
        response_model=None,
        responses={status: {} for status in _REFUSALS},
    )


async def _verify(
    request: Request, appended: OriginalRequest | None
) -> tuple[Response, VerifiedRoute]:
    """Return the response to a request that the guards of its route admit, and the route.

    Raises:
        HTTPException: 403, the peer is not a trusted proxy, or no declared route can serve the
            request. 400, the request is not named clearly, or a direct one would be refused.
        GatewayError: a guard refuses the request.
    """
    if not is_from_proxy(request, request.app.state.settings.server):
        raise _refuse(request.scope, 403, "the peer is not one of server.trusted_proxies")
    target = _build_target(request.scope, appended)
    route = await _admit(target)
    response = Response(headers={"Cache-Control": "no-store"})
    response.raw_headers += build_identity(route.proxy, Request(target))
    return response, route


def _build_target(scope: Scope, appended: OriginalRequest | None) -> Scope:
    """Build the scope of the request that is asked about; refuse what a direct one is refused."""
    try:
        original = read_original_request(scope["headers"], appended)
        log_fields = RequestContext.of(scope).log_fields
        log_fields["original_method"] = original.method
        log_fields["original_path"] = escape(original.path[:_MAX_LOGGED_PATH].decode("ascii"))
        target = build_target_scope(scope, *original)
        target[PUBLIC_PATH] = original.path
    except InvalidOriginalRequest as error:
        raise _refuse(scope, 400, str(error)) from None
    except InvalidPath as error:
        raise _refuse(scope, 400, f"the path {error}") from None
    if original.query.count(b"&") >= MAX_QUERY_PARAMETERS:
        raise _refuse(scope, 400, f"the query has more than {MAX_QUERY_PARAMETERS} parameters")
    return target


async def _admit(target: Scope) -> VerifiedRoute:
    """Find the route for a request, and call its guards."""
    routes: VerifiedRoutes = target["app"].state.resources[VerifiedRoutes]
    found = routes.find(target)
    if found is None:
        raise _refuse(target, 403, "no declared route serves the request")
    route, path_params = found
    RequestContext.of(target).log_fields["original_route"] = route.path
    if route.guards is None or route.obstacle:
        raise _refuse(target, 403, f"the route cannot be verified: {route.obstacle}")
    # A gateway may choose the service by another reading of the path than the gateway's own.
    ambiguity = find_ambiguity(
        target["raw_path"],
        encoded_slashes=route.proxy is not None and route.proxy.encoded_slashes,
        path_parameters=route.proxy is not None and route.proxy.path_parameters,
    )
    if ambiguity:
        raise _refuse(target, 400, f"the path {ambiguity}")
    await route.guards.admit(target, path_params)
    return route


def _refuse(scope: Scope, status: int, reason: str) -> HTTPException:
    """Log the reason of a refusal, which is for the operator alone; return its error."""
    RequestContext.of(scope).log_fields["reason"] = reason
    return HTTPException(status)
