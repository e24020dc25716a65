"""The adapter to FastAPI and Starlette: the only file that uses their undocumented names.

Any release may change these names, so `pyproject.toml` bounds the versions of FastAPI and
Starlette. Each name has a test in `tests/gateway/test_fastapi_internals.py`, or beside it in
`test_connection_internals.py`, that says what breaks without it; run these tests before raising the
bounds.
"""

from collections.abc import Callable, Iterator
from functools import partial
from operator import is_
from typing import Any

from fastapi import APIRouter
from fastapi._compat import ModelField, field_annotation_is_scalar
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import (
    Dependant,
    _get_cache_key,
    _get_oauth_scopes,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.routing import (
    _FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY,
    _FASTAPI_SCOPE_KEY,
    RouteContext,
    _FrontendRouteGroup,
    _IncludedRouter,
    iter_route_contexts,
    serialize_response,
)
from pydantic import Json
from starlette._utils import get_route_path
from starlette.convertors import PathConvertor, StringConvertor, register_url_convertor
from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Match
from starlette.types import Scope, Send

from gateway.request_path import decode_parameter, encode_segment, encode_segments

_LATE = "Caught handled exception, but response already started."

__all__ = ["Dependant", "ModelField", "RouteContext", "get_route_path", "iter_route_contexts"]


class SegmentConvertor(StringConvertor):
    """Converts `{name}` of a path; an escaped slash is a part of the value."""

    def convert(self, value: str) -> str:
        """Return the value of the parameter."""
        return decode_parameter(value)

    def to_string(self, value: str) -> str:
        """Return the segment of a URL for a value, for `request.url_for`."""
        return super().to_string(encode_segment(str(value)))


class SegmentsConvertor(PathConvertor):
    """Converts `{name:path}`, which may have several segments."""

    def convert(self, value: str) -> str:
        """Return the value of the parameter."""
        return decode_parameter(value)

    def to_string(self, value: str) -> str:
        """Return the segments of a URL for a value, for `request.url_for`."""
        return encode_segments(str(value))


# Starlette looks a convertor up when a route is created. A module that creates guarded routes has
# imported this one before, because it has imported `requires` or `public`.
register_url_convertor("str", SegmentConvertor())
register_url_convertor("path", SegmentsConvertor())


def iter_audited_routes(router: APIRouter) -> Iterator[RouteContext]:
    """Yield every route that can serve a request, `router.frontend(...)` included.

    FastAPI keeps frontends apart from the other routes, and `iter_route_contexts` leaves them out.
    """
    yield from iter_route_contexts(router.routes)
    for frontend in router._iter_low_priority_routes():  # noqa: SLF001
        if isinstance(frontend, BaseRoute):
            yield RouteContext(frontend)
        else:
            yield RouteContext(frontend.original_route, frontend)


def get_frontend_paths(route: RouteContext) -> list[str]:
    """Return the paths below which `router.frontend(...)` serves files; [] for any other route."""
    group = route.original_route
    if not isinstance(group, _FrontendRouteGroup):
        return []
    prefix = getattr(route, "frontend_prefix", "")  # an included one has the prefix of its router
    return [prefix + frontend.path for frontend in group.routes]


class RoutesSnapshot:
    """The routes below a router at one moment, those of included routers too.

    FastAPI counts the changes that its methods make, and serves a route that was added to a router
    after its inclusion. The lists are compared too, because they can be changed directly.
    """

    def __init__(self, router: APIRouter) -> None:
        self._routers = [
            (inner, inner._routes_version, list(inner.routes))  # noqa: SLF001
            for inner in _list_routers(router)
        ]

    def is_current(self) -> bool:
        """Whether the routes are still the same objects: equal ones may differ in dependencies."""
        for router, version, routes in self._routers:
            if router._routes_version != version or len(router.routes) != len(routes):  # noqa: SLF001
                return False
            if not all(map(is_, router.routes, routes)):
                return False
        return True


def _list_routers(router: APIRouter) -> list[APIRouter]:
    """List a router and all routers that are included below it, each once."""
    found = [router]
    for outer in found:
        for route in outer.routes:
            if isinstance(route, _IncludedRouter) and route.original_router not in found:
                found.append(route.original_router)
    return found


def matches_request(route: RouteContext, scope: Scope) -> bool:
    """Whether a route serves the request or WebSocket connection: its path, and its method."""
    match, _ = route._effective_route.matches(scope)  # noqa: SLF001
    return match is Match.FULL


def matches_path(route: RouteContext, scope: Scope) -> bool:
    """Whether a route has the path of a request, whatever its methods are."""
    match, _ = route._effective_route.matches(scope)  # noqa: SLF001
    return match is not Match.NONE


def parses_body(route: RouteContext) -> bool:
    """Whether FastAPI parses the request body for this route, as JSON or as a form."""
    dependant: Dependant | None = getattr(route, "dependant", None)
    return dependant is not None and any(it.body_params for it in iter_dependants(dependant))


def iter_dependencies(dependant: Dependant) -> Iterator[tuple[Dependant, Dependant]]:
    """Yield pairs of a dependant and one of its dependencies, for a route and all below it.

    The innermost come first: that is the order in which FastAPI calls them.
    """
    for inner in dependant.dependencies:
        yield from iter_dependencies(inner)
        yield dependant, inner


def iter_dependants(dependant: Dependant) -> Iterator[Dependant]:
    """Yield a route's dependant and all below it."""
    yield dependant
    for _, inner in iter_dependencies(dependant):
        yield inner


def iter_calls(dependant: Dependant) -> Iterator[object]:
    """Yield the callable of every dependency of a route, the innermost first."""
    for _, inner in iter_dependencies(dependant):
        yield inner.call


def iter_route_calls(route: RouteContext) -> Iterator[object]:
    """Yield the callable of every dependency of a route; a mounted app has none."""
    dependant: Dependant | None = getattr(route, "dependant", None)
    if dependant is not None:
        yield from iter_calls(dependant)


def get_dependency_cache_key(dependant: Dependant) -> object:
    """Return the key under which FastAPI caches a dependency's result during one request."""
    return _get_cache_key(dependant=dependant)


def get_security_scopes(dependant: Dependant) -> list[str]:
    """Return the scopes of a dependency's `SecurityScopes`, in order and without duplicates."""
    return _get_oauth_scopes(dependant=dependant)


def is_awaited(call: Callable[..., Any] | None) -> bool:
    """Whether FastAPI awaits this callable: it neither runs it in a thread nor closes it later."""
    return _is_coroutine_callable(call) and not (
        _is_gen_callable(call) or _is_async_gen_callable(call)
    )


def is_single_text(field: ModelField) -> bool:
    """Whether FastAPI reads this parameter as one text under one name: no list, model or JSON."""
    info = field.field_info
    return (
        field_annotation_is_scalar(info.annotation)
        and Json not in map(type, info.metadata)
        and not info.validate_default
        and (info.validation_alias is None or info.validation_alias == field.alias)
        and not field.config
    )


def get_validator(field: ModelField) -> Callable[[str], Any]:
    """Return FastAPI's validator of a parameter, without the step that collects errors.

    The validator raises pydantic's ValidationError.
    """
    return partial(field._type_adapter.validator.validate_python, from_attributes=True)  # noqa: SLF001


def has_default_response_class(route: RouteContext) -> bool:
    """Whether neither the route, nor its routers, nor the app chose a response class."""
    return isinstance(route.response_class, DefaultPlaceholder)


async def serialize_result(route: RouteContext, result: object) -> bytes:
    """Validate the result of an endpoint and serialize it to JSON, as FastAPI does.

    Raises:
        ResponseValidationError: the result does not fit the route's response model.
    """
    body: bytes = await serialize_response(
        field=route.response_field, response_content=result, dump_json=True
    )
    return body


def get_routing_scope(route: RouteContext) -> dict[str, Any]:
    """Return the entries of the ASGI scope in which FastAPI stores the selected route.

    All requests to the route share them, so they must not be changed.
    """
    entries: dict[str, Any] = {"route": route.original_route, "endpoint": route.endpoint}
    if route._route_context is not None:  # noqa: SLF001
        context = {_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY: route._route_context}  # noqa: SLF001
        entries[_FASTAPI_SCOPE_KEY] = context
    return entries


def find_route_path(scope: Scope) -> str:
    """Return the path template of the route that serves this request; "" if none does, or a mount.

    That is the path with the prefixes of the routers around it.
    """
    route = scope.get("route")
    if route is None:
        return ""
    context = scope.get(_FASTAPI_SCOPE_KEY, {}).get(_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY)
    if context is not None and context.original_route is route:
        route = context
    path: str = getattr(route, "path", None) or ""
    return path


def get_dependant(scope: Scope) -> Dependant:
    """Return the dependencies of the route that serves this request, those of its routers included.

    For a route of an included router, `scope["route"]` is the route as the router declares it.
    The prefix and the dependencies of the inclusion are in the effective route context.
    """
    route = scope["route"]
    context = scope.get(_FASTAPI_SCOPE_KEY, {}).get(_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY)
    if context is not None and context.original_route is route:
        route = context
    dependant: Dependant = route.dependant
    return dependant


def unwrap_handled_error(error: BaseException) -> BaseException:
    """Return the error that has a handler, if Starlette came too late to run it.

    Starlette raises a RuntimeError from an error that has a handler if the response has begun.
    """
    is_late = type(error) is RuntimeError and error.args == (_LATE,)
    return error.__cause__ if is_late and error.__cause__ is not None else error


def forget_query(connection: HTTPConnection) -> None:
    """Let a connection read its query anew: the scope has another one now."""
    for name in ("_query_params", "_url"):
        vars(connection).pop(name, None)


def get_send(request: Request) -> Send:
    """Return the `send` of a request, for a message before its response."""
    return request._send  # noqa: SLF001


def get_parsed_json(connection: HTTPConnection) -> object:
    """Return the body as the request has parsed it from JSON; None if it has not."""
    return vars(connection).get("_json")
