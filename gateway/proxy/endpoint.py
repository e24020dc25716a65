"""The endpoint of a proxied route: sends the request on to the service, and its response back."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.open_clients import OpenServices
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.path.target import ProxyTarget
from gateway.proxy.websocket.websocket_forwarding import WebSocketForwarding
from gateway.request_context import RequestContext
from gateway.routing.response_endpoint import ResponseEndpoint
from gateway.server.upgrade import UPGRADE
from gateway.service_endpoint import ServiceEndpoint


class ProxyEndpoint(ResponseEndpoint, ServiceEndpoint):
    """Serves the requests of one proxied route.

    The services are looked up in `request.app.state.resources`, as the lifespan opens them.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.service = proxy.to
        self._services: OpenServices | None = None

    async def __call__(self, request: Request) -> Response:
        """Serve one request, which the guards of the route have admitted.

        Raises:
            HTTPException: 403, a WebSocket handshake on a route that accepts none.
        """
        state = request.scope["app"].state
        services = state.resources[OpenServices]
        if services is not self._services:  # the first request since the lifespan was entered
            self._forwarding = Forwarding(self.proxy, state.settings, state.resources)
            self._websockets = (
                WebSocketForwarding(self.proxy, state.settings, state.resources)
                if self.proxy.websocket
                else None
            )
            self._services = services
        RequestContext.of(request.scope).log_fields["service"] = self.proxy.to
        if UPGRADE in (request.scope.get("extensions") or ()):
            if self._websockets is None:
                raise HTTPException(403, "This route accepts no WebSocket connections.")
            return await self._websockets.serve(request)
        return await self._forwarding.serve(request)

    def find_path_fault(self, scope: Scope) -> str:
        """Return the sentence why a path is never sent on to the service; "" if it is."""
        service = scope["app"].state.resources[OpenServices][self.proxy.to].service
        return ProxyTarget(self.proxy, service).find_fault(scope)
