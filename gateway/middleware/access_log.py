"""Measures each request and writes one line to the access log when it has ended."""

from logging import INFO, getLogger
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.request_context import RequestContext
from gateway.telemetry.log import LogEvent, LogField

log = getLogger("lockgate.access")

MAX_LOGGED_PATH = 256  # characters; thousands of lines may be queued for a slow reader of the log


class AccessLog:
    """ASGI middleware that logs `request.completed`, or `websocket.closed` for a WebSocket.

    It is outside `RequestContextMiddleware`, which records id, status and bytes on the
    `RequestContext`. So a request whose app failed is logged after the traceback, with the 500
    that the client got, or with the status that was sent before the failure.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket connection; `lifespan` passes through."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        context = RequestContext.of(scope)
        started = perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            _log_completion(scope, context, perf_counter() - started)


def _get_path(scope: Scope) -> str:
    """Return the path as it was received, without the query: its escapes tell two paths apart."""
    raw_path: bytes | None = scope.get("raw_path")
    return scope["path"] if raw_path is None else raw_path.decode("latin-1")


def _log_completion(scope: Scope, context: RequestContext, seconds: float) -> None:
    if not log.isEnabledFor(INFO):
        return
    is_websocket = scope["type"] == "websocket"
    event = "websocket.closed" if is_websocket else "request.completed"
    fields: dict[str, LogField] = {
        "id": context.request_id,
        "method": "WEBSOCKET" if is_websocket else scope["method"],
        "path": _get_path(scope)[:MAX_LOGGED_PATH],
        "status": context.status,
        "bytes": context.bytes_sent,
        "ms": int(seconds * 10_000 + 0.5) / 10,  # `round` to a digit takes ten times as long
        **context.log_fields,
    }
    # Not `log_event`, which would copy the fields twice.
    log.handle(LogEvent(log.name, INFO, event, None, fields))
