"""A small app behind the access log and the request context, for the tests of both."""

from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from gateway.middleware.access_log import AccessLog
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.request_context import RequestContext
from gateway.upstream.propagation import current_headers


def create_logged_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(AccessLog)

    @app.get("/fine")
    async def fine(request: Request) -> dict[str, str]:
        context = RequestContext.of(request.scope)
        context.response_headers.append((b"ratelimit", b'"x";r=1;t=1'))
        context.server_timing += [("profile", 0.0123), ("orders", 0.2)]
        context.log_fields["caller"] = "42"
        return dict(current_headers().fields)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/left")
    async def left(request: Request) -> None:
        RequestContext.of(request.scope).log_fields["status"] = 499

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the other half")

        return StreamingResponse(chunks())

    return app
