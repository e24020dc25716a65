"""The methods of a resource, for `Allow` (RFC 9110, 10.2.1) and for preflights."""

from collections.abc import Set

from starlette.types import Scope

from gateway.fastapi_internals import get_route_path, iter_route_contexts


def find_allowed_methods(scope: Scope) -> Set[str]:
    """Return the methods of all routes with the path of a request; none if no route has it.

    The router names those of the first such route only. `HEAD` is allowed wherever `GET` is, and
    the gateway itself responds to `OPTIONS`.
    """
    path = get_route_path(scope)
    methods = {
        method
        for route in iter_route_contexts(scope["app"].routes)
        if (pattern := getattr(route, "path_regex", None)) and pattern.match(path)
        for method in route.methods or ()
    }
    if "GET" in methods:
        methods.add("HEAD")
    return methods | {"OPTIONS"} if methods else methods
