"""Load shedding: bounds the requests in flight, and refuses the rest early with 503."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors.problem_json import build_gateway_problem
from gateway.errors.tree import Overloaded
from gateway.errors.websocket_denial import deny_or_close
from gateway.request_context import IS_OVER_CONNECTION_LIMIT, RequestContext

RETRY_AFTER_SECONDS = 1.0


class LoadShedding:
    """ASGI middleware that lets at most `max_concurrency` requests run at once.

    A WebSocket connection counts for as long as it is open, but a proxied request no longer once it
    has become a stream (`RequestContext.leave_admission`). A request on a connection above
    `server.max_connections` is refused, too. Requests for `exempt_paths` always pass: an
    orchestrator must not mistake an overloaded process for a dead one.
    """

    def __init__(
        self, app: ASGIApp, *, max_concurrency: int, exempt_paths: Collection[str] = ()
    ) -> None:
        self.app = app
        self.max_concurrency = max_concurrency
        self.exempt_paths = frozenset(exempt_paths)
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket connection, or refuse it; `lifespan` passes through."""
        if scope["type"] == "lifespan" or scope["path"] in self.exempt_paths:
            await self.app(scope, receive, send)
            return
        if self.in_flight >= self.max_concurrency or IS_OVER_CONNECTION_LIMIT in scope.get(
            "state", ()
        ):
            context = RequestContext.of(scope)
            if self.in_flight >= self.max_concurrency:
                explanation = f"server.max_in_flight allows {self.max_concurrency} requests"
                context.log_fields["explanation"] = explanation
            problem = build_gateway_problem(Overloaded(RETRY_AFTER_SECONDS), context)
            await deny_or_close(problem, scope)(scope, receive, send)
            return
        context = RequestContext.of(scope)
        context.admission = self
        self.in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            if context.admission is self:  # not if it has become a stream
                context.admission = None
                self.in_flight -= 1

    def release(self) -> None:
        """Count one request less; `RequestContext.leave_admission` calls it for a stream."""
        self.in_flight -= 1
