"""Bounds how much runs at once: what is too much is refused early, and told when to return."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors.problem_json import problem_for
from gateway.errors.tree import Overloaded
from gateway.request_context import RequestContext

RETRY_AFTER = 1.0


class ConcurrencyLimit:
    """Pure ASGI middleware: at most so many requests at once, the rest are answered 503.

    What is asked of `spared` paths always passes: an orchestrator must not take an overloaded
    process for a dead one.
    """

    def __init__(self, app: ASGIApp, *, at_once: int, spared: Collection[str] = ()) -> None:
        self.app = app
        self.at_once = at_once
        self.spared = frozenset(spared)
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http" or scope["path"] in self.spared:
            await self.app(scope, receive, send)
            return
        if self.running >= self.at_once:
            refusal = problem_for(Overloaded(RETRY_AFTER), RequestContext.of(scope))
            await refusal(scope, receive, send)
            return
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1
