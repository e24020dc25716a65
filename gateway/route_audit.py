"""Route audit: every route must declare who may call it.

The app refuses to start with a route that declares no access, and refuses requests to such a route
that is added later.
"""

import inspect
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.routing import Mount, WebSocketRoute
from starlette.types import Scope

from gateway.auth.caller_id import CallerIdLookup
from gateway.auth.dependencies import Authorize, Public, authenticate
from gateway.auth.ownership import Owner
from gateway.auth.route_access import find_access
from gateway.fastapi_internals import (
    Dependant,
    RouteContext,
    RoutesSnapshot,
    get_frontend_paths,
    iter_audited_routes,
    iter_calls,
    matches_request,
)
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.limited_dependency import Limited
from gateway.settings.errors import ConfigError
from gateway.settings.toml_file import format_file
from gateway.startup_error import StartupError
from gateway.tickets.redeem_ticket import AcceptTicket


@dataclass(frozen=True, slots=True)
class RouteFault:
    """A route that does not declare who may call it, and how to fix it.

    `source` is the file and the line of its function; it is empty if the route has none.
    """

    route: str
    message: str
    source: str = ""

    def __str__(self) -> str:
        """Format as `GET /path: message`."""
        return f"{self.route}: {self.message}"

    def as_config_error(self) -> ConfigError:
        """Return the error that `lockgate check` and `lockgate serve` print."""
        return ConfigError(self.route, self.message, source=self.source)


class UnguardedRoute(StartupError):
    """A route with neither `requires(...)` nor `public(...)`: access is denied by default."""

    exit_status = 2

    def __init__(self, faults: list[RouteFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    def list_messages(self) -> list[str]:
        """Return one line for each route, as `lockgate check` prints it."""
        return [str(fault.as_config_error()) for fault in self.faults]


def find_faults(app: FastAPI) -> list[RouteFault]:
    """Check every route of `app`: HTTP and WebSocket, included routers, mounts and frontends."""
    found = map(_find_fault, iter_audited_routes(app.router))
    return [fault for fault in found if fault]


def refuse_unguarded(app: FastAPI) -> None:
    """Check every route of `app`.

    Raises:
        UnguardedRoute: names each route at fault and how to fix it.
    """
    if faults := find_faults(app):
        raise UnguardedRoute(faults)


class RouteAudit:
    """Audits the routes that are added after start-up, before their first request.

    As long as the routes are the same, a request costs a comparison of their identities: 3 µs for
    200 routes, which FastAPI also tries one by one.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._snapshot: RoutesSnapshot | None = None
        self._faults: list[tuple[RouteContext, RouteFault | None]] = []

    def is_guarded(self, route: RouteContext) -> bool:
        """Whether a route declares who may call it."""
        return _find_fault(route) is None

    def refuse_unguarded(self, scope: Scope) -> None:
        """Refuse a request or a WebSocket connection whose route declares no access.

        Raises:
            UnguardedRoute: names the route and how to fix it.
        """
        if self._snapshot is None or not self._snapshot.is_current():
            snapshot = RoutesSnapshot(self._router)
            audited = [(route, _find_fault(route)) for route in iter_audited_routes(self._router)]
            # Without a fault no request needs to be compared with the routes.
            self._faults = audited if any(fault for _, fault in audited) else []
            self._snapshot = snapshot
        for route, fault in self._faults:
            if matches_request(route, scope):  # the first match is the one that FastAPI serves
                if fault:
                    raise UnguardedRoute([fault])
                return


def _find_fault(route: RouteContext) -> RouteFault | None:
    message = _find_problem(getattr(route, "dependant", None))
    if message is None:
        return None
    file, line = locate_endpoint(route)
    return RouteFault(_describe(route), message, f"{file}:{line}" if file else "")


def _find_problem(dependant: Dependant | None) -> str | None:
    """Return how to fix the declarations of a route; None if they are right."""
    if dependant is None:
        return "not a FastAPI route, so it cannot declare who may call it"
    try:
        access = find_access(dependant)
    except ValueError as error:
        return str(error)
    if access is None:
        return 'add requires("scope") or public("why") to its dependencies'
    if _has_late_ticket(dependant):
        return (
            "put accept_ticket() before requires(...), owner(...) and limited(...), also before "
            "those of its router, which come first: they would refuse each request with a ticket"
        )
    limits = [call for call in iter_calls(dependant) if isinstance(call, Limited)]
    if isinstance(access, Public) and any(limit.needs_caller for limit in limits):
        return (
            "limited(...) by a policy per user, service or tenant needs requires(...); "
            'a public(...) route has no caller, so use per="address"'
        )
    return None


def _has_late_ticket(dependant: Dependant) -> bool:
    """Whether a dependency needs the caller before `accept_ticket()` has found it out."""
    calls = list(iter_calls(dependant))
    places = [place for place, call in enumerate(calls) if isinstance(call, AcceptTicket)]
    return bool(places) and any(map(_needs_caller, calls[: places[0]]))


def _needs_caller(call: object) -> bool:
    if isinstance(call, Limited):
        return call.needs_caller
    return isinstance(call, Authorize | Owner | CallerIdLookup) or call is authenticate


def list_kinds(route: RouteContext) -> list[str]:
    """List the methods of a route, or what it is if it has none: `WEBSOCKET`."""
    original = route.original_route
    if route.methods:
        return sorted(route.methods)
    if isinstance(original, WebSocketRoute):
        return ["WEBSOCKET"]
    if isinstance(original, Mount):
        return ["MOUNT"]
    if get_frontend_paths(route):
        return ["FRONTEND"]
    return [type(original).__name__]


def locate_endpoint(route: RouteContext) -> tuple[str, int]:
    """Return file and line of the function of a route, or of its `Proxy(...)`; none without either.

    The function of an object is its `__call__`.
    """
    if (proxy := find_proxy(route)) is not None:
        return proxy.file, proxy.line
    endpoint = getattr(route, "endpoint", None)
    function = inspect.unwrap(endpoint) if callable(endpoint) else endpoint
    if not hasattr(function, "__code__"):
        function = inspect.getattr_static(type(function), "__call__", None)
    code = getattr(function, "__code__", None)
    return (format_file(Path(code.co_filename)), code.co_firstlineno) if code else ("", 0)


def _describe(route: RouteContext) -> str:
    """Describe a route as `GET /path`, or as `FRONTEND /path, /other` with all its paths."""
    kind = "/".join(list_kinds(route))
    paths = ", ".join(get_frontend_paths(route)) or route.path
    return f"{kind} {paths}" if paths else kind
