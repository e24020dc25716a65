"""Finds what slowapi leaves without effect in an app: its middlewares, and a misplaced decorator.

It also finds slowapi's own `Limiter`; see `foreign_limiters.py`.

This module does not import slowapi, so that an app that does not use it does not either.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import isfunction
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from gateway.fastapi_internals import RouteContext, iter_route_calls, iter_route_contexts
from gateway.ratelimit.compat.foreign_limiters import find_foreign_limiters, is_of_slowapi
from gateway.settings.errors import ConfigError, InvalidSettings

Function = Callable[..., Any]
Route = tuple[str, RouteContext]

# The functions that a decorator has been applied to, with the functions that it has returned.
_LIMITED: WeakKeyDictionary[Function, WeakSet[Function]] = WeakKeyDictionary()


class DecoratingLimiter(Protocol):
    """The limiter behind a decorator."""

    def list_limit_texts(self, limited: Function, method: str) -> Sequence[str]:
        """List the limits of a function that it has returned, for requests with this method."""


# The functions that a decorator has returned, with its limiter.
_LIMITERS: WeakKeyDictionary[Function, DecoratingLimiter] = WeakKeyDictionary()


def register(endpoint: Function, limited: Function, limiter: DecoratingLimiter) -> None:
    """Remember that `limited` stands for `endpoint`, and which limiter has decorated it."""
    _LIMITERS[limited] = limiter
    if isfunction(endpoint):
        _LIMITED.setdefault(endpoint, WeakSet()).add(limited)


def list_limit_texts(functions: Iterable[object], method: str) -> list[str]:
    """List the limits that decorators have given to the functions of a route, as texts."""
    return [
        text
        for function in functions
        for inner in iter_wrapped(function)
        if isfunction(inner) and inner in _LIMITERS
        for text in _LIMITERS[inner].list_limit_texts(inner, method)
    ]


def count_limiters(endpoint: Function) -> int:
    """Return the number of limiters that have decorated a function already."""
    return sum(inner in _LIMITED for inner in iter_wrapped(endpoint) if isfunction(inner))


def iter_wrapped(function: Any) -> Iterator[Any]:  # noqa: ANN401 - any callable
    """Yield a function, the one that it wraps (see `functools.wraps`), and so on."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def check_app(app: Starlette) -> None:
    """Check an app before it serves its first request.

    Raises:
        InvalidSettings: names every middleware and limiter of slowapi, and every route without its
            limit.
    """
    if errors := list(find_slowapi_errors(app)):
        raise InvalidSettings(errors)


def find_slowapi_errors(app: Starlette, packages: Iterable[str] = ()) -> Iterator[ConfigError]:
    """Find what is left of slowapi: middlewares, its own limiters, and misplaced decorators.

    Its own limiters are also found in the modules of `packages`.
    """
    for middleware in app.user_middleware:
        kind: Any = middleware.cls
        if isinstance(kind, type) and is_of_slowapi(kind):
            message = "blocks the event loop, breaks streaming, and misses included routers"
            hint = "remove it; the decorators of slowapi need no middleware here"
            yield ConfigError(f"{kind.__module__}.{kind.__qualname__}", message, hint)
    routes = list(_iter_routes(app.routes))
    functions = ((name, function) for name, route in routes for function in _iter_functions(route))
    yield from find_foreign_limiters(functions, packages, getattr(app.state, "limiter", None))
    yield from _find_misplaced_limits(routes)


def _find_misplaced_limits(routes: Sequence[Route]) -> Iterator[ConfigError]:
    """Find the routes whose limit stands above their decorator."""
    endpoints = [(name, route.endpoint) for name, route in routes if route.endpoint]
    served = {function for _, endpoint in endpoints for function in iter_wrapped(endpoint)}
    for route, endpoint in endpoints:
        limited = _LIMITED.get(endpoint) if isfunction(endpoint) else None
        if limited is not None and served.isdisjoint(limited):
            name = f"{endpoint.__module__}.{endpoint.__qualname__}"
            message = f"the limit of {name} has no effect, because it stands above the route"
            yield ConfigError(route, message, "put @limiter.limit(...) below the route decorator")


def _iter_routes(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[Route]:
    """Yield each route with its name, `GET /path`, those of mounted apps too."""
    for route in iter_route_contexts(routes):
        if isinstance(route.original_route, Mount):
            mounted = route.original_route
            yield from _iter_routes(mounted.routes or (), prefix + mounted.path)
        elif callable(getattr(route, "endpoint", None)):
            methods = "/".join(sorted(route.methods or ()))
            yield f"{methods} {prefix}{route.path}".lstrip(), route


def _iter_functions(route: RouteContext) -> Iterator[object]:
    """Yield the endpoint and the dependencies of a route."""
    yield route.endpoint
    yield from iter_route_calls(route)
