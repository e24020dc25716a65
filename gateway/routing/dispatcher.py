"""Takes a request that fits a settled route straight through it, and leaves the rest to FastAPI.

FastAPI walks the declarations of a route for every request. What they come to is the same each
time, so that here it is worked out once. Whatever is unusual (an invalid parameter, overridden
dependencies, no such path) has had no effect yet when it goes on to FastAPI, which answers it.
"""

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.routing.compiled_route import CompiledRoute
from gateway.routing.parameters import InvalidParameter, Values, query_of
from gateway.routing.route_table import RouteTable


class Dispatcher:
    """Pure ASGI middleware, the innermost; `app` is FastAPI's own way."""

    def __init__(self, app: ASGIApp, *, gateway: FastAPI) -> None:
        self.app = app
        self._gateway = gateway
        self._opened = gateway.state.resources
        self._table = RouteTable(gateway.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        found = self._find(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        settled, values = found
        request = Request(scope, receive, send)
        try:
            result = await settled.result(request, self._opened, values)
        except Exception as error:  # noqa: BLE001 - as FastAPI does, and with its own means
            await self._failed(error, scope, receive, send)
            return
        if isinstance(result, Response):
            await result(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(result)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": settled.status, "headers": headers})
        await send({"type": "http.response.body", "body": result})

    def _find(self, scope: Scope) -> tuple[CompiledRoute, Values] | None:
        """The settled route that a request fits, and what it says; the scope then names it."""
        if scope["type"] != "http" or scope["root_path"] or self._gateway.dependency_overrides:
            return None
        found = self._table.find(scope)
        if found is None:
            return None
        settled, path = found
        query = query_of(scope["query_string"])
        try:
            values = {read: read.value(path, query) for read in settled.inputs}
        except InvalidParameter:
            return None
        scope["path_params"] = path
        scope["route"] = settled.route
        scope["endpoint"] = settled.endpoint
        return settled, values

    async def _failed(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app's own exception handlers answer."""

        raised = [error]

        async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
            # Taken out: the trace will hold this, and did this hold the error, both would stay.
            raise raised.pop()

        handlers = self._gateway.exception_handlers
        await ExceptionMiddleware(failing, handlers)(scope, receive, send)
