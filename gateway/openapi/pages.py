"""GET /docs and GET /openapi.json."""

from asyncio import to_thread
from collections.abc import Mapping
from functools import cache
from html import escape
from string import Template

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from gateway.auth.dependencies import public
from gateway.content_encoding import MIN_BYTES, choose_coding, encode_once
from gateway.openapi.assets import load_assets, read_page
from gateway.openapi.document import get_document_json

# Images also from `data:`, for the icons in the style sheet of Swagger UI.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False, dependencies=[public("documentation")])


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return await _build_response(request, get_document_json(request.app), "application/json")


@router.get("/docs")
async def get_docs(request: Request) -> HTMLResponse:
    """The OpenAPI document as a page, with a form to try each route.

    It loads nothing from another host, and its policy forbids that and any inline script. All its
    URLs are relative, so it works below any path prefix.
    """
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(_build_page(request.app.title), headers=headers)


@router.get("/docs/{name}")
async def get_docs_asset(name: str, request: Request) -> Response:
    """A file of that page; a browser asks each time whether its copy is still the same."""
    asset = load_assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache", "Vary": "accept-encoding"}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return await _build_response(request, asset.content, asset.media_type, headers)


async def _build_response(
    request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Build a response that is encoded once, and not again for each request."""
    accepted = ",".join(request.headers.getlist("accept-encoding")).encode("latin-1")
    coding = (
        choose_coding(accepted).coding if request.app.state.settings.server.compression else None
    )
    if coding is None or len(content) < MIN_BYTES or media_type.startswith("image/"):
        return Response(content, media_type=media_type, headers=headers)
    encoded = await to_thread(encode_once, coding, content)
    own = {"Content-Encoding": coding, "Vary": "accept-encoding", **(headers or {})}
    return Response(encoded, media_type=media_type, headers=own)


@cache
def _build_page(title: str) -> str:
    return Template(read_page()).substitute(title=escape(title))
