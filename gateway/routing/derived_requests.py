"""HEAD and OPTIONS of a path that declares neither: which route they belong to.

The first route with the path of a request decides: HEAD is served as its GET, and OPTIONS lists
the methods. A later route may declare both for many paths, as a proxied route does for all below a
prefix. It gets the HEAD and OPTIONS requests of those paths that no route before it has.
"""

import re
from collections.abc import Sequence

from starlette.types import Scope

from gateway.fastapi_internals import RouteContext, matches_path, matches_request

DERIVED_METHODS = frozenset({"HEAD", "OPTIONS"})

_PARAMETER_NAME = re.compile(r"\{\w+")


def is_derived(scope: Scope, routes: Sequence[RouteContext]) -> bool:
    """Whether a HEAD or OPTIONS request belongs to a path that does not declare its method."""
    is_options: bool = scope["method"] == "OPTIONS"
    get = {**scope, "method": "GET"}
    declared = first = None
    for route in routes:
        is_declared = matches_request(route, scope)
        if first is None and (
            is_declared
            or (matches_path(route, scope) if is_options else matches_request(route, get))
        ):
            first = route
        if is_declared:
            declared = route
            break
    if first is None:
        return is_options  # `OPTIONS *` asks about the server as a whole
    return declared is None or get_shape(declared) != get_shape(first)


def get_shape(route: RouteContext) -> str:
    """Return the path of a route without the names of its parameters."""
    return _PARAMETER_NAME.sub("{", route.path or "")
