"""Refuses WebSocket connections: an HTTP response before the handshake, a close code after it."""

from starlette.responses import Response
from starlette.types import ASGIApp, Scope
from starlette.websockets import WebSocketClose

from gateway.errors.problem_json import get_phrase

_DENIAL_EXTENSION = "websocket.http.response"

CLOSE_POLICY_VIOLATION = 1008
CLOSE_INTERNAL_ERROR = 1011
CLOSE_TRY_AGAIN_LATER = 1013


def deny_or_close(response: Response, scope: Scope, *, is_accepted: bool = False) -> ASGIApp:
    """Return the ASGI app that refuses a request or a WebSocket connection.

    For an HTTP request that is `response`, and also for a WebSocket handshake where the server
    offers the ASGI extension for denial responses. Without that extension, and on a connection
    that `is_accepted`, it closes the WebSocket with the code that fits the status of `response`.
    """
    if scope["type"] == "http":
        return response
    if not is_accepted and _DENIAL_EXTENSION in (scope.get("extensions") or {}):
        return response
    status = response.status_code
    return WebSocketClose(get_close_code(status), get_phrase(status))


def get_close_code(status: int) -> int:
    """Return the WebSocket close code nearest to an HTTP status of 400 or more (RFC 6455, 7.4)."""
    if status == 503:
        return CLOSE_TRY_AGAIN_LATER
    return CLOSE_POLICY_VIOLATION if status < 500 else CLOSE_INTERNAL_ERROR
