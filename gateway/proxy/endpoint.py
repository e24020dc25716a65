"""The endpoint of a proxied route: sends the request on to the service, and its response back."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.proxy.declaration import Proxy
from gateway.routing.response_endpoint import ResponseEndpoint


class ProxyEndpoint(ResponseEndpoint):
    """Serves the requests of one proxied route.

    The resources are looked up in `request.app.state.resources`, as the lifespan opens them.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def __call__(self, request: Request) -> Response:
        """Serve one request, which the guards of the route have admitted."""
        raise NotImplementedError(f"{self.proxy}: requests cannot be sent on yet")
