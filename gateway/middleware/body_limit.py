"""Limits the size of request bodies: a route's `max_body_size`, or else `server.max_body_bytes`.

Starlette and FastAPI have a body limit of their own. The gateway keeps this one because theirs
refuses a declared length in plain text, and only once the body is read, and because compiled routes
do not pass it; see `docs/decisions/body-limit.md`.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors.problem_json import build_gateway_problem
from gateway.errors.tree import ContentTooLarge
from gateway.request_context import INTERIM_RESPONSE, RequestContext

# The fields that frame a body; a request with neither has none (RFC 9112, section 6).
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})

RouteLimit = Callable[[Scope], int | None]
RoutePath = Callable[[Scope], str]


def _no_route_limit(_: Scope) -> None:
    return None


def _no_route_path(_: Scope) -> str:
    return ""


class BodyLimit:
    """Pure ASGI middleware: a request with a larger body is refused with 413.

    `max_bytes` is the limit of every route for which `find_route_limit` returns None. Only
    requests that announce a body are looked up. A request is refused before it is routed, so
    `find_route_path` finds its route for the log.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        find_route_limit: RouteLimit = _no_route_limit,
        find_route_path: RoutePath = _no_route_path,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.find_route_limit = find_route_limit
        self.find_route_path = find_route_path

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http" or not _announces_body(scope):
            return self.app(scope, receive, send)
        return self._serve_limited(scope, receive, send)

    async def _serve_limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a declared length that is too large at once, any other body as it is read."""
        limit = self.find_route_limit(scope)
        if limit is None:
            limit = self.max_bytes
        if _get_declared_length(scope) <= limit:
            body = _CountedBody(receive, send, limit)
            with suppress(ContentTooLarge):
                await self.app(scope, body.receive, body.send)
            if not body.is_too_large or body.has_response:
                return
        context = RequestContext.of(scope)
        if "route" not in scope:
            context.log_fields["route"] = self.find_route_path(scope)
        refusal = build_gateway_problem(ContentTooLarge(), context)
        await refusal(scope, receive, send)


class _CountedBody:
    """Counts a body as it is read, and drops the response of an app that caught the overflow."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self.has_response = False
        self._bytes_left = limit
        self._receive = receive
        self._send = send

    @property
    def is_too_large(self) -> bool:
        return self._bytes_left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes_left -= len(message.get("body", b""))
        if self.is_too_large:
            raise ContentTooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.is_too_large and not self.has_response:
            return
        self.has_response = self.has_response or message["type"] != INTERIM_RESPONSE
        await self._send(message)


def _announces_body(scope: Scope) -> bool:
    for name, _ in scope["headers"]:  # noqa: SIM110 - a generator costs more than the search
        if name in _FRAMING:
            return True
    return False


def _get_declared_length(scope: Scope) -> int:
    """Return the Content-Length, or 0 without one; the server has checked that it is a number."""
    lengths = (value for name, value in scope["headers"] if name == b"content-length")
    return int(next(lengths, b"0"))
