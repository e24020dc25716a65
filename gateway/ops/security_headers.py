"""Adds the header fields that keep pages of other origins away from the ops app."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CACHE_CONTROL = (b"cache-control", b"no-store")
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_FIXED = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_REPLACED = frozenset({_CACHE_CONTROL[0], *(name for name, _ in _FIXED)})


class SecurityHeaders:
    """ASGI middleware: no response is stored, framed, or read by a page of another origin.

    A route may set a `Content-Security-Policy` of its own; a response without one may load nothing.
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
                has_policy = any(name == _POLICY[0] for name, _ in sent)
                policy = () if has_policy else (_POLICY,)
                message["headers"] = [*sent, *_FIXED, _CACHE_CONTROL, *policy]
            return send(message)

        return self.app(scope, receive, add_headers)
