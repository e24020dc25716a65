"""The guards of a route with a body: they admit or refuse a request before its body is read.

FastAPI reads and parses the body before it calls the first dependency. A request without a token
would learn how its body is malformed, hold its place among the requests in flight as long as it
sends, and be counted by no rate limit. See `docs/decisions/guards-before-the-body.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from gateway.request_context import RequestContext
from gateway.routing.compiled_route import DependencyCall


@dataclass(frozen=True, slots=True)
class RouteGuards:
    """The calls of all guards of one route, in FastAPI's order.

    `scope` holds the entries that routing adds to the ASGI scope. `passed` has each guard once.
    """

    scope: Mapping[str, Any]
    calls: Sequence[DependencyCall]
    passed: frozenset[object]

    async def admit(self, scope: Scope, path_params: Mapping[str, Any]) -> None:
        """Admit the request. An exception that a guard raises to refuse it is propagated.

        FastAPI routes an admitted request from the beginning, so the entries of routing are
        removed again. They stay in the scope of a refused one, for the access log.
        """
        entries = {**self.scope, "path_params": path_params}
        scope.update(entries)
        request = Request(scope)  # without `receive`: no guard can read the body
        for call in self.calls:
            await call.call(**call.constants, **dict.fromkeys(call.requests, request))
        for name in entries:
            del scope[name]
        RequestContext.of(scope).passed_guards = self.passed
