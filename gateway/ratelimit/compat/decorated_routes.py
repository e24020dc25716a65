"""Finds what slowapi leaves without effect in an app: its middlewares, and a misplaced decorator.

This module does not import slowapi, so that an app that does not use it does not either.
"""

from collections.abc import Callable, Iterator, Sequence
from inspect import isfunction
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from gateway.fastapi_internals import iter_route_contexts
from gateway.settings.errors import ConfigError, InvalidSettings

Function = Callable[..., Any]

# The functions that a decorator has been applied to, with the functions that it has returned.
_LIMITED: WeakKeyDictionary[Function, WeakSet[Function]] = WeakKeyDictionary()


def register(endpoint: Function, limited: Function) -> None:
    """Remember that `limited` stands for `endpoint`."""
    if isfunction(endpoint):
        _LIMITED.setdefault(endpoint, WeakSet()).add(limited)


def count_limiters(endpoint: Function) -> int:
    """Return the number of limiters that have decorated a function already."""
    return sum(inner in _LIMITED for inner in iter_wrapped(endpoint) if isfunction(inner))


def iter_wrapped(function: Function | None) -> Iterator[Function]:
    """Yield a function, the one that it wraps (see `functools.wraps`), and so on."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def check_app(app: Starlette) -> None:
    """Check an app before it serves its first request.

    Raises:
        InvalidSettings: names every middleware of slowapi, and every route without its limit.
    """
    if errors := list(find_slowapi_errors(app)):
        raise InvalidSettings(errors)


def find_slowapi_errors(app: Starlette) -> Iterator[ConfigError]:
    """Find the middlewares of slowapi, and the routes whose limit stands above their decorator."""
    for middleware in app.user_middleware:
        kind: Any = middleware.cls
        if any(
            base.__module__.partition(".")[0] == "slowapi" for base in getattr(kind, "__mro__", ())
        ):
            message = "blocks the event loop, breaks streaming, and misses included routers"
            hint = "remove it; the decorators of slowapi need no middleware here"
            yield ConfigError(f"{kind.__module__}.{kind.__qualname__}", message, hint)
    routes = list(_iter_endpoints(app.routes))
    served = {function for _, endpoint in routes for function in iter_wrapped(endpoint)}
    for route, endpoint in routes:
        limited = _LIMITED.get(endpoint) if isfunction(endpoint) else None
        if limited is not None and served.isdisjoint(limited):
            name = f"{endpoint.__module__}.{endpoint.__qualname__}"
            message = f"the limit of {name} has no effect, because it stands above the route"
            yield ConfigError(route, message, "put @limiter.limit(...) below the route decorator")


def _iter_endpoints(
    routes: Sequence[BaseRoute], prefix: str = ""
) -> Iterator[tuple[str, Function]]:
    """Yield each route as `GET /path` with its endpoint, those of mounted apps too."""
    for route in iter_route_contexts(routes):
        if isinstance(route.original_route, Mount):
            mounted = route.original_route
            yield from _iter_endpoints(mounted.routes or (), prefix + mounted.path)
        elif callable(endpoint := getattr(route, "endpoint", None)):
            methods = "/".join(sorted(route.methods or ()))
            yield f"{methods} {prefix}{route.path}".lstrip(), endpoint
