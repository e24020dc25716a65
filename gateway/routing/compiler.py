"""Compiles a route at start-up, so that a request need not walk its declarations.

FastAPI solves a route's dependencies anew for each request. For most routes the result is the same
list of calls each time; the compiler writes that list down once, in the order in which FastAPI
makes the calls. A route that needs more than that is NotCompilable and stays with FastAPI.
"""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, NoReturn

from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import BaseModel

from gateway.fastapi_internals import (
    Dependant,
    ModelField,
    RouteContext,
    SegmentConvertor,
    SegmentsConvertor,
    get_dependency_cache_key,
    get_routing_scope,
    get_security_scopes,
    get_validator,
    has_default_response_class,
    is_awaited,
    is_single_text,
    iter_dependencies,
)
from gateway.head_guard import HeadGuard
from gateway.resources import ResourceLookup
from gateway.routing.compiled_route import (
    COOKIES,
    HEADERS,
    PATH,
    QUERY,
    CompiledRoute,
    DependencyCall,
    InvalidParameter,
    Parameter,
)
from gateway.routing.response_endpoint import ResponseEndpoint
from gateway.routing.route_guards import RouteGuards

# `RouteTable` reads the parameters of these two without calling them.
_TEXT_CONVERTORS = frozenset({SegmentConvertor, SegmentsConvertor})

# Defaults of these types are shared between requests; FastAPI copies every other default.
_IMMUTABLE = frozenset({bool, bytes, float, int, str, type(None)})


class NotCompilable(Exception):
    """The route needs FastAPI for each request; the message gives the reason."""


def compile_route(route: RouteContext) -> CompiledRoute:
    """Compile a route.

    Raises:
        NotCompilable: the route needs FastAPI for each request.
    """
    if type(route.original_route) is not APIRoute:
        raise NotCompilable("its class is not APIRoute: a subclass may handle requests otherwise")
    convertors = route.param_convertors.values()
    if any(type(convertor) not in _TEXT_CONVERTORS for convertor in convertors):
        raise NotCompilable("a path parameter has a convertor of another type than text")
    if not isinstance(route.endpoint, ResponseEndpoint) and not _returns_plain_json(route):
        raise NotCompilable("its response is not simply a model as JSON")
    plan = _Plan()
    plan.add_endpoint(route.dependant)
    return CompiledRoute(
        route=route,
        scope=get_routing_scope(route),
        calls=tuple(plan.calls),
        parameters=tuple(plan.parameters),
        reads_headers=any(p.source in {HEADERS, COOKIES} for p in plan.parameters),
        status=route.status_code or 200,
        model=_find_model(route),
    )


def compile_guards(
    route: RouteContext, kinds: type | tuple[type, ...] = HeadGuard
) -> RouteGuards | None:
    """Compile the guards of a route that are of these kinds; None if they do not decide alone.

    They are those of the route, its routers and its dependencies. A subclass of APIRoute may choose
    its requests by more than their path: such a route stays with FastAPI.
    """
    original = route.original_route
    if not isinstance(original, APIRoute) or type(original).matches is not APIRoute.matches:
        return None
    plan = _Plan()
    for _, inner in iter_dependencies(route.dependant):
        if isinstance(inner.call, kinds) and asks_for_connection_alone(inner):
            plan.add_dependency(inner)
    return RouteGuards(
        scope=get_routing_scope(route),
        calls=tuple(plan.calls),
        passed=frozenset(call.call for call in plan.calls),
    )


class _Plan:
    """The calls and parameters of one route, gathered in FastAPI's order."""

    def __init__(self) -> None:
        self.calls: list[DependencyCall] = []
        self.parameters: list[Parameter] = []
        self._cached: dict[object, int] = {}

    def add_endpoint(self, dependant: Dependant) -> None:
        """Append all calls that lead to the endpoint, then the endpoint itself."""
        self._add_call(dependant, *self._add_dependencies(dependant))

    def _add_dependencies(
        self, dependant: Dependant
    ) -> tuple[list[tuple[str, int]], list[tuple[str, type]]]:
        """Append the calls that a dependant depends on; return its results and resources."""
        results: list[tuple[str, int]] = []
        resources: list[tuple[str, type]] = []
        for inner, is_last in _with_last_resources(dependant.dependencies):
            if is_last and inner.name is not None and isinstance(inner.call, ResourceLookup):
                resources.append((inner.name, inner.call.kind))
                continue
            index = self.add_dependency(inner)
            if inner.name is not None:
                results.append((inner.name, index))
        return results, resources

    def add_dependency(self, dependant: Dependant) -> int:
        """Append the call of one dependency; return the index of its result.

        FastAPI looks into its cache only after it has solved the dependencies of the dependency. So
        one of those with `use_cache=False` is called each time.
        """
        inputs = self._add_dependencies(dependant)
        key = get_dependency_cache_key(dependant)
        if dependant.use_cache and key in self._cached:
            return self._cached[key]
        index = self._add_call(dependant, *inputs)
        self._cached.setdefault(key, index)
        return index

    def _add_call(
        self,
        dependant: Dependant,
        results: list[tuple[str, int]],
        resources: list[tuple[str, type]],
    ) -> int:
        for reason in _find_obstacles(dependant):
            raise NotCompilable(f"{dependant.call}: {reason}")
        names = (dependant.http_connection_param_name, dependant.request_param_name)
        call = DependencyCall(
            call=dependant.call,  # type: ignore[arg-type]  # not None, as checked above
            constants=_find_constants(dependant),
            requests=tuple(name for name in names if name is not None),
            resources=tuple(resources),
            parameters=tuple(self._add_parameters(dependant)),
            results=tuple(results),
        )
        self.calls.append(call)
        return len(self.calls) - 1

    def _add_parameters(self, dependant: Dependant) -> Iterator[tuple[str, int]]:
        sources = {
            PATH: dependant.path_params,
            QUERY: dependant.query_params,
            HEADERS: dependant.header_params,
            COOKIES: dependant.cookie_params,
        }
        for source, fields in sources.items():
            for field in fields:
                if not is_single_text(field):
                    raise NotCompilable(f"{field.name} is more than one text under one name")
                yield field.name, len(self.parameters)
                self.parameters.append(
                    Parameter(field.alias, source, get_validator(field), _get_default(field))
                )


def _with_last_resources(dependencies: list[Dependant]) -> Iterator[tuple[Dependant, bool]]:
    """Yield each dependency, and whether only lookups of resources follow it.

    Such a lookup needs no call of its own: it is done just before the call that asks for it, and
    nothing happens in between. One that is followed by another call stays a call, because a
    resource that is missing must fail before that other call is made.
    """
    last_call = max(
        (
            index
            for index, dependency in enumerate(dependencies)
            if not isinstance(dependency.call, ResourceLookup)
        ),
        default=-1,
    )
    for index, dependency in enumerate(dependencies):
        yield dependency, index > last_call


def _find_constants(dependant: Dependant) -> dict[str, object]:
    if dependant.security_scopes_param_name is None:
        return {}
    scopes = SecurityScopes(scopes=get_security_scopes(dependant))
    return {dependant.security_scopes_param_name: scopes}


def _find_obstacles(dependant: Dependant) -> Iterator[str]:
    if not is_awaited(dependant.call):
        yield "is not a coroutine function"
    if dependant.concurrency is not None:
        yield "has a limit on concurrent calls"
    if dependant.body_params:
        yield "reads the body"
    if dependant.response_param_name or dependant.background_tasks_param_name:
        yield "asks for the response or for background tasks"


def asks_for_connection_alone(dependant: Dependant) -> bool:
    """Whether a dependency can be called with the connection and nothing else."""
    fields = (
        dependant.path_params,
        dependant.query_params,
        dependant.header_params,
        dependant.cookie_params,
    )
    return not (dependant.dependencies or any(fields) or any(_find_obstacles(dependant)))


def _get_default(field: ModelField) -> Callable[[], Any]:
    if field.field_info.is_required():
        return _raise_missing
    if field.field_info.default_factory is None and type(field.get_default()) in _IMMUTABLE:
        return repeat(field.get_default()).__next__  # gives the same object, without a Python frame
    return field.get_default


def _raise_missing() -> NoReturn:
    raise InvalidParameter


def _find_model(route: RouteContext) -> type[BaseModel] | None:
    """Find the response model whose instances FastAPI serializes without validating them again."""
    if route.response_field is None:
        return None
    model = route.response_field.field_info.annotation
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return None
    return model if model.model_config.get("revalidate_instances", "never") == "never" else None


def _returns_plain_json(route: RouteContext) -> bool:
    return (
        route.response_field is not None
        and has_default_response_class(route)
        and route.response_model_by_alias
        and route.status_code not in {204, 205, 304}
        and not (
            route.response_model_include
            or route.response_model_exclude
            or route.response_model_exclude_unset
            or route.response_model_exclude_defaults
            or route.response_model_exclude_none
            or route.is_sse_stream
            or route.is_json_stream
        )
    )
