"""GET /docs and GET /openapi.json: every route, with every problem that it can return."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from gateway.aggregation.dependency import LoadComposite
from gateway.auth.dependencies import public
from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import Dependant, RouteContext, iter_route_contexts
from gateway.ratelimit.dependency import Limited

router = APIRouter(include_in_schema=False, dependencies=[public("documentation")])

DESCRIPTIONS = {
    401: "No valid access token",
    403: "The access token does not permit this request",
    413: "The request body is too large",
    422: "The request is not valid",
    429: "A rate limit is exceeded",
    500: "An unexpected error occurred in the gateway",
    502: "A service refused the request or sent an invalid response",
    503: "A service, the identity provider or the gateway is unavailable",
    504: "A service did not respond within its timeout",
}


class ProblemDocument(BaseModel):
    """A problem (RFC 9457). Some problem types add members of their own."""

    type: str = Field(description="A URI that names the kind of problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The id of the request, as in X-Request-Id")


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    state = request.app.state
    # Serialized once: the route is public, and the document is large.
    if not hasattr(state, "openapi_json"):
        state.openapi_json = json.dumps(request.app.openapi(), ensure_ascii=False).encode()
    return Response(state.openapi_json, media_type="application/json")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """The OpenAPI document as a page, with a form to try each route."""
    return get_swagger_ui_html(openapi_url="openapi.json", title="Lockgate")


def document_problems(app: FastAPI) -> None:
    """Make the OpenAPI document of `app` list every problem that a route can return."""
    app.openapi = partial(_build_document, app)  # type: ignore[method-assign]  # as FastAPI's docs do


def _build_document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for route in iter_route_contexts(app.routes):
            for operation in _iter_operations(document, route):
                _add_problems(operation, route.dependant)
        app.openapi_schema = document
    return app.openapi_schema


def _iter_operations(document: dict[str, Any], route: RouteContext) -> Iterator[dict[str, Any]]:
    path = document["paths"].get(route.path_format, {})
    yield from (path[m.lower()] for m in route.methods or () if m.lower() in path)


def _add_problems(operation: dict[str, Any], dependant: Dependant) -> None:
    operation["responses"].pop("422", None)
    for status in sorted(_find_statuses(operation, dependant)):
        operation["responses"][str(status)] = {
            "description": DESCRIPTIONS[status],
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"}
                }
            },
        }


def _find_statuses(operation: dict[str, Any], dependant: Dependant) -> set[int]:
    statuses = {500, 503}
    if operation.get("parameters") or operation.get("requestBody"):
        statuses.add(422)
    if operation.get("requestBody"):
        statuses.add(413)
    if isinstance(find_access(dependant), Requires):
        statuses |= {401, 403}
    calls = [inner.call for inner in dependant.dependencies]
    if any(isinstance(call, Limited) for call in calls):
        statuses.add(429)
    if any(isinstance(call, LoadComposite) for call in calls):
        statuses |= {502, 504}
    return statuses
