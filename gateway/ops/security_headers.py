"""Adds the header fields that keep pages of other origins away from the ops app."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DEFAULTS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_FIXED = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_REPLACED = frozenset(name for name, _ in _FIXED)


class SecurityHeaders:
    """ASGI middleware: no response is stored, framed, or read by a page of another origin.

    A route may set `Content-Security-Policy` and `Cache-Control` itself; a response without them
    may load nothing, and is not stored.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)

        def add_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                sent = [it for it in message.get("headers", ()) if it[0] not in _REPLACED]
                names = {name for name, _ in sent}
                defaults = [it for it in _DEFAULTS if it[0] not in names]
                message["headers"] = [*sent, *_FIXED, *defaults]
            return send(message)

        return self.app(scope, receive, add_headers)
