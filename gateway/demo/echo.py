"""The echo service: shows what arrives at a service behind a proxied route.

GET /events?count=5&interval_ms=1000    server-sent events
WS  /socket                             a WebSocket that sends each message back
any method, any other path              the request as JSON
"""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.fakes.json_service import encode_json, json_response

_MAX_EVENTS, _MAX_INTERVAL_MS = 1_000, 60_000
_MAX_SHOWN_BYTES = 4_096


class _Echo:
    """ASGI app, and no function, so that its route serves every method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body, size = await _read_body(request)
        headers = dict(request.headers)
        document = {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "headers": headers,
            "identity": _decode_identity(headers.get("authorization", "")),
            "body": body.decode(errors="replace"),
            "body_bytes": size,
        }
        await json_response(encode_json(document))(scope, receive, send)


async def _read_body(request: Request) -> tuple[bytes, int]:
    """Read the whole body; return its beginning and its size."""
    beginning, size = b"", 0
    async for piece in request.stream():
        beginning += piece[: _MAX_SHOWN_BYTES - len(beginning)]
        size += len(piece)
    return beginning, size


def _decode_identity(authorization: str) -> object:
    """Decode the claims of a bearer token, to show them. A real service verifies the token."""
    parts = authorization.removeprefix("Bearer ").split(".")
    try:
        return json.loads(urlsafe_b64decode(parts[1] + "=="))
    except (IndexError, ValueError):
        return None


async def _send_events(request: Request) -> Response:
    count = _read_number(request, "count", 5, _MAX_EVENTS)
    interval_ms = _read_number(request, "interval_ms", 1_000, _MAX_INTERVAL_MS)
    return StreamingResponse(_iter_events(count, interval_ms), media_type="text/event-stream")


async def _iter_events(count: int, interval_ms: int) -> AsyncIterator[bytes]:
    for number in range(1, count + 1):
        yield b"id: %d\ndata: %b\n\n" % (number, encode_json({"number": number, "of": count}))
        if number < count:
            await asyncio.sleep(interval_ms / 1_000)


def _read_number(request: Request, name: str, default: int, maximum: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= maximum):
        raise HTTPException(422, f"{name} must be an integer from 0 to {maximum}.")
    return int(text)


async def _echo_messages(websocket: WebSocket) -> None:
    """Send each message back as it came, until the client closes."""
    await websocket.accept(next(iter(websocket.scope["subprotocols"]), None))
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            await websocket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect:
        return


app = Starlette(
    routes=[
        Route("/events", _send_events),
        WebSocketRoute("/socket", _echo_messages),
        Route("/{path:path}", _Echo()),
    ]
)
