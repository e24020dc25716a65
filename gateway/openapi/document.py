"""Builds the OpenAPI document of the app, once."""

import json
import warnings
from collections.abc import Container, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import PydanticUserError

from gateway.errors.problem_types import SCHEMAS, ProblemType, list_gateway_problems
from gateway.fastapi_internals import RouteContext, RoutesSnapshot, iter_route_contexts
from gateway.openapi.assets import Asset
from gateway.openapi.operation_ids import choose_operation_ids
from gateway.openapi.proxied_operations import (
    allow_any_content,
    describe_proxied_operation,
    remove_unknown_methods,
)
from gateway.openapi.raised_problems import (
    choose_schema_names,
    describe_raised_problems,
    describe_route,
    find_ambiguous_problems,
)
from gateway.openapi.responses import add_responses, build_headers
from gateway.openapi.route_problems import Problems
from gateway.proxy.routes import find_proxy
from gateway.settings.errors import ConfigError, InvalidSettings

Document = dict[str, Any]

_SCHEMA_HINT = "give the type a schema with pydantic's WithJsonSchema, or include_in_schema=False"
_VALIDATION_ERRORS = ("HTTPValidationError", "ValidationError")


def document_responses(app: FastAPI) -> None:
    """Make the OpenAPI document of `app` list every problem and header field of each route.

    The document is built when it is first needed, and again after routes were added.

    Raises:
        InvalidSettings: two operations declare the same `operation_id`, or a client could not tell
            two problems of a route apart.
    """
    routes = _list_routes(app)
    choose_operation_ids(routes)
    if errors := [error for route in routes for error in find_ambiguous_problems(route)]:
        raise InvalidSettings(errors)
    app.openapi = _CachedDocument(app).get  # type: ignore[method-assign]  # as FastAPI's docs do


def build_document(app: FastAPI) -> None:
    """Build the document at start-up, so that no request waits for it: 0.3 s for 200 routes.

    Raises:
        InvalidSettings: a type of a route has no JSON schema.
    """
    try:
        app.openapi()
    except PydanticUserError as error:
        raise InvalidSettings(_find_routes_without_schema(app, _list_routes(app))) from error


def get_document_file(app: FastAPI) -> Asset:
    """Return the document as a file of JSON, serialized when it was built."""
    app.openapi()
    serialized: Asset = app.state.openapi_json
    return serialized


class _CachedDocument:
    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: RoutesSnapshot | None = None

    def get(self) -> Document:
        app = self._app
        if app.openapi_schema is None or self._routes is None or not self._routes.is_current():
            routes = RoutesSnapshot(app.router)
            app.openapi_schema = _build_document(app, _list_routes(app))
            serialized = json.dumps(app.openapi_schema, ensure_ascii=False).encode()
            app.state.openapi_json = Asset.of(serialized, "application/json")
            self._routes = routes
        return app.openapi_schema


def _build_document(app: FastAPI, routes: list[RouteContext]) -> Document:
    return _complete(_get_fastapi_document(app, routes), routes)


def _find_routes_without_schema(app: FastAPI, routes: list[RouteContext]) -> list[ConfigError]:
    """Find the routes that cannot be described: pydantic's error does not name them."""
    errors = []
    for route in routes:
        try:
            _build_document(app, [route])
        except PydanticUserError as error:
            message = f"has no OpenAPI description: {error.message}"
            errors.append(ConfigError(describe_route(route), message, _SCHEMA_HINT))
    return errors


def _get_fastapi_document(app: FastAPI, routes: list[RouteContext]) -> Document:
    with warnings.catch_warnings():
        # FastAPI gives the methods of one route the same id; the ids are replaced.
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")
        root_path = app.state.settings.server.root_path
        return get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=routes,
            servers=[{"url": root_path}] if root_path else None,
        )


def _complete(document: Document, routes: list[RouteContext]) -> Document:
    """Add what FastAPI does not know, and remove what the gateway does not send."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    ids = choose_operation_ids(routes)
    models = frozenset(schemas)
    own_names = [problem.rename_if_in(models).name for problem in list_gateway_problems()]
    names = choose_schema_names(routes, taken={*models, *own_names})
    for route in routes:
        raised = describe_raised_problems(route, names)
        if find_proxy(route):
            remove_unknown_methods(document["paths"], route)
        for method, operation in _iter_operations(document, route):
            operation["operationId"] = ids[str(route.path_format), method]
            for problem in _complete_operation(operation, method, route, raised, models):
                schemas |= {problem.name: problem.build_schema(), **problem.definitions}
    components["headers"] = build_headers()
    for name, schema in [*schemas.items()]:
        _name_degraded(schemas, name, schema)
    for name in (*_VALIDATION_ERRORS, "Degraded"):  # of which each composite has its own
        if f"{SCHEMAS}{name}" not in _iter_references(document):
            schemas.pop(name, None)
    return document


def _complete_operation(
    operation: Document, method: str, route: RouteContext, raised: Problems, models: Container[str]
) -> list[ProblemType]:
    """Complete the operation of one method of a route; return the problems that it refers to."""
    _remove_validation_error(operation)
    proxy = find_proxy(route)
    if proxy is None:
        return add_responses(operation, route, raised, models)
    describe_proxied_operation(operation, method, proxy)
    problems = add_responses(operation, route, raised, models)
    allow_any_content(operation)
    return problems


def _list_routes(app: FastAPI) -> list[RouteContext]:
    routes = iter_route_contexts(app.routes)
    return [route for route in routes if getattr(route, "include_in_schema", False)]


def _iter_operations(document: Document, route: RouteContext) -> Iterator[tuple[str, Document]]:
    path = document["paths"].get(route.path_format, {})
    methods = [method.lower() for method in sorted(route.methods or ())]
    yield from ((method, path[method]) for method in methods if method in path)


def _remove_validation_error(operation: Document) -> None:
    """Remove FastAPI's own description of status 422, but not one of the application."""
    content = operation["responses"].get("422", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith(f"/{_VALIDATION_ERRORS[0]}"):
        del operation["responses"]["422"]


def _name_degraded(schemas: Document, name: str, schema: Mapping[str, Any]) -> None:
    """Move the items of `degraded` of a composite to a schema with a name of its own.

    Generators of clients make a type of it: `DashboardDegraded`.
    """
    own_name = f"{name}Degraded"
    degraded = schema.get("properties", {}).get("degraded", {})
    is_composite = degraded.get("items", {}).get("title") == f"{schema.get('title')}Degraded"
    if is_composite and own_name not in schemas:
        schemas[own_name] = degraded["items"]
        degraded["items"] = {"$ref": f"{SCHEMAS}{own_name}"}


def _iter_references(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _iter_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _iter_references(value)
