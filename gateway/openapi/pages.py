"""GET /docs and GET /openapi.json."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from gateway.auth.dependencies import public
from gateway.openapi.document import get_document_json

router = APIRouter(include_in_schema=False, dependencies=[public("documentation")])


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(get_document_json(request.app), media_type="application/json")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """The OpenAPI document as a page, with a form to try each route."""
    return get_swagger_ui_html(openapi_url="openapi.json", title="Lockgate")
