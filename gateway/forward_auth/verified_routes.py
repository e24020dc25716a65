"""`VerifiedRoutes`: the declared routes, and whether their guards alone decide about a request."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import Scope

from gateway.aggregation.dependency import LoadComposite
from gateway.auth.dependencies import authenticate
from gateway.fastapi_internals import RouteContext, iter_calls, iter_dependencies
from gateway.head_guard import HeadGuard
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.compat.decorated_routes import list_limit_texts
from gateway.resources import ResourceLookup
from gateway.routing.compiler import asks_for_connection_alone, compile_guards
from gateway.routing.dispatcher import RouteEntry, RouteTable
from gateway.routing.route_guards import RouteGuards


@dataclass(frozen=True, slots=True)
class VerifiedRoute:
    """A declared route. `obstacle` says why its guards do not decide alone; "" if they do.

    `proxy` is the declaration of a proxied route, None for another route.
    """

    path: str
    guards: RouteGuards | None
    obstacle: str
    proxy: Proxy | None


class VerifiedRoutes:
    """The routes of a table that requests can be verified for: those of the company.

    `own_routes` are the gateway's: its health check, its documentation, and forward-auth itself. A
    service behind another gateway has nothing to do with them, even if its paths are the same.
    """

    def __init__(self, table: RouteTable, own_routes: Collection[BaseRoute]) -> None:
        self._table = table
        self._routes = {
            entry: _compile(entry)
            for entry in table.entries
            if not any(entry.route.original_route is own for own in own_routes)
        }

    def find(self, target: Scope) -> tuple[VerifiedRoute, dict[str, Any]] | None:
        """Find the route that would serve a request, and its path parameters; None without.

        An `OPTIONS` that no route declares is served by the gateway itself, and by no service.
        """
        found = self._table.match(target)
        if found is None or not _is_declared(target["method"], found[0]):
            return None
        route = self._routes.get(found[0])
        return None if route is None else (route, found[1])


def _is_declared(method: str, entry: RouteEntry) -> bool:
    methods = entry.route.methods or ()
    return method in methods or (method == "HEAD" and "GET" in methods)


def _compile(entry: RouteEntry) -> VerifiedRoute:
    route = entry.route
    guards = compile_guards(route)
    obstacle = next(_iter_obstacles(entry), "")
    if guards is None:
        obstacle = "its class may choose requests by more than their path"
    return VerifiedRoute(str(route.path), guards, obstacle, find_proxy(route))


def _iter_obstacles(entry: RouteEntry) -> Iterator[str]:
    """Yield what could refuse a request of the route, and is not one of its compiled guards."""
    route = entry.route
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        yield "it is not a FastAPI route"
        return
    for _, inner in iter_dependencies(dependant):
        if isinstance(inner.call, HeadGuard):
            if not asks_for_connection_alone(inner):
                yield f"its guard {_name(inner.call)} asks for more than the connection"
        elif not _is_harmless(inner.call):
            yield f"its dependency {_name(inner.call)} is not a HeadGuard"
    if _has_slowapi_limit(route, entry.methods):
        yield "a decorator of slowapi limits it"


def _is_harmless(call: object) -> bool:
    """Whether a dependency of the gateway refuses no request that the guards have admitted."""
    return call is authenticate or isinstance(call, ResourceLookup | LoadComposite)


def _has_slowapi_limit(route: RouteContext, methods: Collection[str]) -> bool:
    functions = [*iter_calls(route.dependant), getattr(route, "endpoint", None)]
    return any(list_limit_texts(functions, method) for method in methods)


def _name(call: object) -> str:
    return getattr(call, "__qualname__", type(call).__qualname__)
