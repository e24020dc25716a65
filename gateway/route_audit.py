"""Route audit: the app does not start if a route declares no access, nor serves one added later."""

from fastapi import APIRouter, FastAPI
from starlette.routing import Mount, WebSocketRoute
from starlette.types import Scope

from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import (
    RouteContext,
    get_frontend_paths,
    get_routes_state,
    iter_audited_routes,
    matches_request,
)


class UnguardedRoute(Exception):
    """A route with neither `requires(...)` nor `public(...)`: access is denied by default."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def refuse_unguarded(app: FastAPI) -> None:
    """Check every route of `app`: HTTP and WebSocket, included routers, mounts and frontends.

    Raises:
        UnguardedRoute: names each route at fault and how to fix it.
    """
    found = map(_find_fault, iter_audited_routes(app.router))
    if faults := [fault for fault in found if fault]:
        raise UnguardedRoute(faults)


class RouteAudit:
    """Audits the routes that are added after start-up, before their first request.

    A request costs one comparison as long as the routes are the same.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._state: object = None
        self._faults: list[tuple[RouteContext, str | None]] = []

    def is_guarded(self, route: RouteContext) -> bool:
        """Whether a route declares who may call it."""
        return _find_fault(route) is None

    def refuse_unguarded(self, scope: Scope) -> None:
        """Refuse a request or a WebSocket connection whose route declares no access.

        Raises:
            UnguardedRoute: names the route and how to fix it.
        """
        state = get_routes_state(self._router)
        if state != self._state:
            audited = [(route, _find_fault(route)) for route in iter_audited_routes(self._router)]
            # Without a fault no request needs to be compared with the routes.
            self._faults = audited if any(fault for _, fault in audited) else []
            self._state = state
        for route, fault in self._faults:
            if matches_request(route, scope):  # the first match is the one that FastAPI serves
                if fault:
                    raise UnguardedRoute([fault])
                return


def _find_fault(route: RouteContext) -> str | None:
    name = _describe(route)
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return f"{name}: not a FastAPI route, so it cannot declare who may call it"
    try:
        access = find_access(dependant)
    except ValueError as error:
        return f"{name}: {error}"
    match access:
        case Requires(scopes=(), owner=str()):
            return f"{name}: owner(...) needs requires(...) on the same route"
        case None:
            return f'{name}: add requires("scope") or public("why") to its dependencies'
        case _:
            return None


def describe_kind(route: RouteContext) -> str:
    """Return the methods of a route as `GET/HEAD`, or what it is if it has none: `WEBSOCKET`."""
    original = route.original_route
    if route.methods:
        return "/".join(sorted(route.methods))
    if isinstance(original, WebSocketRoute):
        return "WEBSOCKET"
    if isinstance(original, Mount):
        return "MOUNT"
    if get_frontend_paths(route):
        return "FRONTEND"
    return type(original).__name__


def _describe(route: RouteContext) -> str:
    """Describe a route as `GET /path`, or as `FRONTEND /path, /other` with all its paths."""
    paths = ", ".join(get_frontend_paths(route)) or route.path
    return f"{describe_kind(route)} {paths}" if paths else describe_kind(route)
