"""The outermost layer: a request id, the headers that gathered on the way, one log line.

It is also where a failure nobody foresaw becomes a 500 that says nothing but the request id.
"""

import re
from collections.abc import Awaitable
from logging import ERROR, getLogger
from random import getrandbits
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors.problem_json import internal_error
from gateway.request_context import RequestContext
from gateway.telemetry.log import LogField, log_event
from gateway.upstream.propagation import propagate_headers

log = getLogger("lockgate.access")

REQUEST_ID = b"x-request-id"

LOGGED_PATH = 256  # characters; the log keeps thousands of lines for a slow reader

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class AccessLog:
    """Pure ASGI middleware; `app` is what it wraps."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = RequestContext.of(scope)
        exchange.request_id = _request_id(scope)
        answer = _Answer(exchange, send)
        begun = perf_counter()
        try:
            with propagate_headers({"X-Request-Id": exchange.request_id}):
                await self.app(scope, receive, answer.send)
        except Exception as error:
            log_event(log, "request.failed", ERROR, error, id=exchange.request_id)
            if answer.status:
                raise  # half an answer is out: the server must break the connection
            await internal_error(exchange.request_id)(scope, receive, answer.send)
        finally:
            _log_line(scope, exchange, answer, perf_counter() - begun)


class _Answer:
    """Watches an answer leave, and gives its head the headers that gathered on the way."""

    def __init__(self, exchange: RequestContext, send: Send) -> None:
        self.status = 0
        self.length = 0
        self._exchange = exchange
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers()]
        elif message["type"] == "http.response.body":
            self.length += len(message.get("body", b""))
        return self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        exchange = self._exchange
        headers = [(REQUEST_ID, exchange.request_id.encode()), *exchange.response_headers]
        if exchange.server_timing:
            timings = ", ".join(
                [f"{name};dur={s * 1000:.1f}" for name, s in exchange.server_timing]
            )
            headers.append((b"server-timing", timings.encode()))
        return headers


def _request_id(scope: Scope) -> str:
    """The caller's own id if it is a plain one, else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID and _GIVEN_ID.fullmatch(value):
            return str(value, "ascii")
    return getrandbits(128).to_bytes(16).hex()


def _log_line(scope: Scope, exchange: RequestContext, answer: _Answer, seconds: float) -> None:
    line: dict[str, LogField] = {
        "id": exchange.request_id,
        "method": scope["method"],
        "path": scope["path"][:LOGGED_PATH],
        "status": answer.status,
        "bytes": answer.length,
        "ms": int(seconds * 10_000 + 0.5) / 10,  # `round` to a digit takes ten times as long
        **exchange.log_fields,
    }
    log_event(log, "request.completed", **line)
