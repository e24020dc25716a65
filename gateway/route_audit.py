"""Route audit at start-up: the app does not start if a route declares no access."""

from fastapi import FastAPI
from starlette.routing import Mount, WebSocketRoute

from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, get_frontend_paths, iter_audited_routes


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
