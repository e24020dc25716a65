"""Bounds the body of a request, whether it says its length beforehand or not."""

from collections.abc import Awaitable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors.problem_json import problem_for
from gateway.errors.tree import ContentTooLarge
from gateway.request_context import RequestContext

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class BodyLimit:
    """Pure ASGI middleware: a body of more than `at_most` bytes is answered 413."""

    def __init__(self, app: ASGIApp, at_most: int) -> None:
        self.app = app
        self.at_most = at_most

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http" or not _announces_body(scope):
            return self.app(scope, receive, send)
        return self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, send, self.at_most)
        if _declared_length(scope) <= self.at_most:
            with suppress(ContentTooLarge):
                await self.app(scope, body.receive, body.send)
            if not body.overflowed or body.answered:
                return
        refusal = problem_for(ContentTooLarge(), RequestContext.of(scope))
        await refusal(scope, receive, send)


class _Body:
    """Counts a body as it is read; what an application makes of an overflow is not sent."""

    def __init__(self, receive: Receive, send: Send, at_most: int) -> None:
        self.answered = False
        self._left = at_most
        self._receive = receive
        self._send = send

    @property
    def overflowed(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.overflowed:
            raise ContentTooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.overflowed and not self.answered:
            return
        self.answered = True
        await self._send(message)


def _announces_body(scope: Scope) -> bool:
    """Whether one follows the head (RFC 9112, 6)."""
    for name, _ in scope["headers"]:  # noqa: SIM110 - a generator costs more than the search
        if name in _FRAMING:
            return True
    return False


def _declared_length(scope: Scope) -> int:
    """What Content-Length says; the server has refused one that is no number."""
    lengths = (value for name, value in scope["headers"] if name == b"content-length")
    return int(next(lengths, b"0"))
