"""Gives each request its id and context; the last-resort 500 for an app that fails.

A WebSocket connection is treated as a request, and its handshake as the head of the response.
"""

import re
from collections.abc import Awaitable
from functools import lru_cache
from types import CoroutineType

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from gateway.errors.last_resort import is_end_of_task, respond_to_failure
from gateway.middleware.response_headers import REQUEST_ID, complete_head
from gateway.request_context import RequestContext, generate_request_id
from gateway.settings.errors import escape
from gateway.upstream.propagation import (
    TRACEPARENT,
    TRACESTATE,
    build_trace_headers,
    propagate_request,
)

# UUIDs, ULIDs, base64, and the form of X-Amzn-Trace-Id: Self=1-…;Root=1-…
_SAFE_ID = re.compile(rb"[A-Za-z0-9._:;=/+@~-]{1,128}")

MAX_LOGGED_USER_AGENT = 128  # bytes
_USER_AGENT = b"user-agent"
_READ_FIELDS = frozenset({REQUEST_ID, _USER_AGENT, TRACEPARENT, TRACESTATE})


class RequestContextMiddleware:
    """ASGI middleware that fills the `RequestContext`, and adds its header fields to the response.

    The request id is the client's own `X-Request-Id` if that is safe, else a random one. Every
    upstream call that `app` makes sends it, and a `traceparent`. The head of the response carries
    the id, and the header fields and the `Server-Timing` of the context.

    An exception that reaches it becomes a response or ends the connection: see
    `gateway/errors/last_resort.py`. In the end it calls what waits for the end of the request.
    """

    def __init__(self, app: ASGIApp, *, may_compress: bool = False) -> None:
        self.app = app
        self._may_compress = may_compress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket connection; `lifespan` passes through."""
        if scope["type"] == "http":
            context = RequestContext.of(scope)
            propagated = _identify(scope, context)
            send = _ResponseSender(context, send, self._may_compress).send
            try:
                with propagate_request(propagated, scope):
                    await self.app(scope, receive, send)
            except BaseException as error:
                if is_end_of_task(error, context) or not await respond_to_failure(
                    error, scope, receive, send
                ):
                    raise
            finally:
                if context.end_callbacks:
                    context.end()
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = RequestContext.of(scope)
        propagated = _identify(scope, context)
        channel = _WebSocketChannel(context, receive, send)
        try:
            with propagate_request(propagated, scope):
                await self.app(scope, channel.receive, channel.send)
        except WebSocketDisconnect as disconnect:
            # Raised by Starlette's `receive_text`, and by its `send` after a disconnect.
            channel.record_close(disconnect.code)
        except BaseException as error:
            if is_end_of_task(error, context) or not await respond_to_failure(
                error, scope, channel.receive, channel.send, is_closed=channel.is_closed
            ):
                raise
        finally:
            if context.end_callbacks:
                context.end()


class _ResponseSender:
    """Adds the context's fields to the head of a response, and records its status and length."""

    __slots__ = ("_context", "_may_compress", "_send")

    def __init__(self, context: RequestContext, send: Send, may_compress: bool) -> None:
        self._context = context
        self._send = send
        self._may_compress = may_compress

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._context.status = message["status"]
            complete_head(message, self._context, may_compress=self._may_compress)
        elif message["type"] == "http.response.body":
            self._context.bytes_sent += len(message.get("body", b""))
        return _watch(self._send(message), self._context)


class _WebSocketChannel:
    """Adds the context's fields to the head of the handshake, and records how the connection ends.

    The handshake ends with 101 (accepted), with 403 (closed before it was accepted) or with the
    status of a denial response. `code` among the log fields is the close code of the side that
    closed first.
    """

    def __init__(self, context: RequestContext, receive: Receive, send: Send) -> None:
        self.is_closed = False
        self._context = context
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.record_close(message.get("code", 1005))
        return message

    def send(self, message: Message) -> Awaitable[None]:
        context = self._context
        match message["type"]:
            case "websocket.accept":
                context.status = 101
                complete_head(message, context, may_compress=False)
            case "websocket.send":
                context.bytes_sent += _get_payload_length(message)
            case "websocket.close":
                context.status = context.status or 403
                self.record_close(message.get("code", 1000))
            case "websocket.http.response.start":
                context.status = message["status"]
                complete_head(message, context, may_compress=False)
            case "websocket.http.response.body":
                context.bytes_sent += len(message.get("body", b""))
        return _watch(self._send(message), context)

    def record_close(self, code: int) -> None:
        self.is_closed = True
        self._context.log_fields.setdefault("code", code)


def _watch(sent: Awaitable[None], context: RequestContext) -> Awaitable[None]:
    """Return an awaitable that also records in `context` that the client has gone.

    The awaitable of the gateway's own server is not a coroutine unless it waits: most messages need
    no wrapper.
    """
    return _record_disconnect(sent, context) if type(sent) is CoroutineType else sent


async def _record_disconnect(sent: Awaitable[None], context: RequestContext) -> None:
    try:
        await sent
    except OSError:
        context.has_client_gone = True
        raise


def _identify(scope: Scope, context: RequestContext) -> dict[str, str]:
    """Set the request id, and return the fields that every upstream call of the request sends."""
    request_id = traceparent = tracestate = None
    for name, value in scope["headers"]:
        if name not in _READ_FIELDS:  # one look-up for most fields, instead of four comparisons
            continue
        if name == _USER_AGENT:
            context.log_fields["user_agent"] = _describe_user_agent(value[:MAX_LOGGED_USER_AGENT])
        elif name == REQUEST_ID:
            request_id = request_id or _keep_if_safe(value)
        elif name == TRACEPARENT:
            traceparent = value if traceparent is None else b""  # two are invalid
        else:
            tracestate = value if tracestate is None else b"%b,%b" % (tracestate, value)
    if request_id is None:
        request_id = generate_request_id()
    context.request_id = request_id
    trace = build_trace_headers(traceparent, tracestate, request_id)
    trace_id = trace["traceparent"][3:35]
    if trace_id != request_id:
        context.log_fields["trace_id"] = trace_id
    return {"x-request-id": request_id, **trace}


def _keep_if_safe(request_id: bytes) -> str | None:
    return str(request_id, "ascii") if _SAFE_ID.fullmatch(request_id) else None


@lru_cache(maxsize=1_024)
def _describe_user_agent(value: bytes) -> str:
    """Return a `User-Agent` as text; bytes that are not printable ASCII are escaped."""
    text = str(value, "ascii", "backslashreplace")
    return text if text.isprintable() else escape(text)


def _get_payload_length(message: Message) -> int:
    """Return the length of a WebSocket message in bytes, as text or as binary."""
    text = message.get("text")
    if text is not None:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(message.get("bytes") or b"")
