"""Refuses to start an app with a route that says nothing about who may call it."""

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from gateway.auth.route_access import Requires, access_of


class UnguardedRoute(Exception):
    """A route with neither `requires` nor `public`: absence of permission is refusal."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))


def refuse_unguarded(app: FastAPI) -> None:
    """Look at every route of `app`, included routers and mounts too.

    Raises:
        UnguardedRoute: naming each route at fault and what it wants.
    """
    found = map(_fault, iter_route_contexts(app.routes))
    if faults := [fault for fault in found if fault]:
        raise UnguardedRoute(faults)


def _fault(route: RouteContext) -> str | None:
    name = f"{'/'.join(sorted(route.methods or ['mount']))} {route.path}"
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return f"{name}: not a FastAPI route, so nothing can say who may call it"
    try:
        access = access_of(dependant)
    except ValueError as error:
        return f"{name}: {error}"
    match access:
        case Requires(scopes=(), owner=str()):
            return f"{name}: owner(...) needs requires(...) on the same route"
        case None:
            return f'{name}: say requires("scope") or public("why") in its dependencies'
        case _:
            return None
