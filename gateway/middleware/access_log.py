"""Measures each request and writes one line to the access log when it has ended."""

from collections.abc import Collection
from logging import DEBUG, INFO, getLogger
from time import perf_counter

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.client_ip import find_client_address
from gateway.fastapi_internals import find_route_path
from gateway.request_context import RequestContext
from gateway.settings.errors import escape
from gateway.settings.schema import Server
from gateway.telemetry.log import LogEvent, LogField

log = getLogger("lockgate.access")

MAX_LOGGED_PATH = 256  # characters; thousands of lines may be queued for a slow reader of the log

_MAPPED_IPV4 = "::ffff:"


class AccessLog:
    """ASGI middleware that logs `request.completed`, or `websocket.closed` for a WebSocket.

    It is outside `RequestContextMiddleware`, which records id, status and bytes on the
    `RequestContext`. So a request whose app failed is logged after the traceback, with the 500
    that the client got, or with the status that was sent before the failure.

    A successful request to one of `probe_paths` is logged at level debug. The address of the client
    is found behind the trusted proxies of `server`; it is empty for a peer without one.
    """

    def __init__(
        self, app: ASGIApp, probe_paths: Collection[str] = (), server: Server | None = None
    ) -> None:
        self.app = app
        self._probe_paths = frozenset(probe_paths)
        self._server = server if server is not None and server.trusted_proxies else None

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
            self._log_completion(scope, context, perf_counter() - started)

    def _log_completion(self, scope: Scope, context: RequestContext, seconds: float) -> None:
        is_probe = scope["path"] in self._probe_paths and context.status < 400
        level = DEBUG if is_probe else INFO
        if not log.isEnabledFor(level):
            return
        peer = scope["client"]
        client = peer[0].removeprefix(_MAPPED_IPV4) if peer else ""
        if self._server is not None:
            client = str(find_client_address(HTTPConnection(scope), self._server).ip or "")
        is_websocket = scope["type"] == "websocket" or context.status == 101
        event = "websocket.closed" if is_websocket else "request.completed"
        fields: dict[str, LogField] = {
            "id": context.request_id,
            "method": "WEBSOCKET" if is_websocket else scope["method"],
            "path": _get_path(scope),
            "route": find_route_path(scope),
            "status": context.status,
            "bytes": context.bytes_sent,
            "ms": int(seconds * 10_000 + 0.5) / 10,  # `round` to a digit takes ten times as long
            "client": client,
            **context.log_fields,
        }
        # Not `log_event`, which would copy the fields twice.
        log.handle(LogEvent(log.name, level, event, None, fields))


def _get_path(scope: Scope) -> str:
    """Return the path as it was received, without the query: its escapes tell two paths apart."""
    raw_path: bytes | None = scope.get("raw_path")
    path: str = scope["path"] if raw_path is None else raw_path.decode("latin-1")
    path = path[:MAX_LOGGED_PATH]
    return path if path.isprintable() else escape(path)
