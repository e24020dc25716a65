"""GET /docs and GET /openapi.json: every route, with all that can go wrong on it."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from gateway.aggregation.dependency import LoadComposite
from gateway.auth.dependencies import public
from gateway.auth.route_access import Requires, access_of
from gateway.ratelimit.dependency import Limited

router = APIRouter(include_in_schema=False, dependencies=[public("documentation")])

MEANING = {
    401: "No valid access token",
    403: "The token does not allow this",
    413: "The body is too long",
    422: "The request is not valid",
    429: "Over a rate limit",
    500: "The gateway failed",
    502: "A service refused, or its answer made no sense",
    503: "A service, the identity provider or the gateway cannot take it now",
    504: "A service did not answer in time",
}


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457). Some types add members of their own."""

    type: str = Field(description="A URI that names the kind of problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The id of the request, as in X-Request-Id")


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    state = request.app.state
    # Written out once: anybody may ask for it, as often as they like.
    if not hasattr(state, "openapi_json"):
        state.openapi_json = json.dumps(request.app.openapi(), ensure_ascii=False).encode()
    return Response(state.openapi_json, media_type="application/json")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """The OpenAPI document, to read and to try."""
    return get_swagger_ui_html(openapi_url="openapi.json", title="Lockgate")


def document_problems(app: FastAPI) -> None:
    """Have the OpenAPI document of `app` name every problem a route can answer with."""
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]  # as FastAPI's docs do


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for route in iter_route_contexts(app.routes):
            for operation in _operations(document, route):
                _add_problems(operation, route.dependant)
        app.openapi_schema = document
    return app.openapi_schema


def _operations(document: dict[str, Any], route: RouteContext) -> Iterator[dict[str, Any]]:
    path = document["paths"].get(route.path_format, {})
    yield from (path[m.lower()] for m in route.methods or () if m.lower() in path)


def _add_problems(operation: dict[str, Any], dependant: Dependant) -> None:
    operation["responses"].pop("422", None)
    for status in sorted(_statuses(operation, dependant)):
        operation["responses"][str(status)] = {
            "description": MEANING[status],
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"}
                }
            },
        }


def _statuses(operation: dict[str, Any], dependant: Dependant) -> set[int]:
    statuses = {500, 503}
    if operation.get("parameters") or operation.get("requestBody"):
        statuses.add(422)
    if operation.get("requestBody"):
        statuses.add(413)
    if isinstance(access_of(dependant), Requires):
        statuses |= {401, 403}
    calls = [inner.call for inner in dependant.dependencies]
    if any(isinstance(call, Limited) for call in calls):
        statuses.add(429)
    if any(isinstance(call, LoadComposite) for call in calls):
        statuses |= {502, 504}
    return statuses
