"""GET /docs and GET /openapi.json."""

from asyncio import to_thread
from functools import cache
from html import escape
from string import Template

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from gateway.auth.dependencies import public
from gateway.content_encoding import MIN_BYTES, choose_coding, encode_once
from gateway.entity_tag import is_not_modified
from gateway.openapi.assets import Asset, load_assets, read_page
from gateway.openapi.document import get_document_file

# Images also from `data:`, for the icons in the style sheet of Swagger UI.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False, dependencies=[public("documentation")])


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return await _serve_file(request, get_document_file(request.app))


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
    """A file of that page."""
    asset = load_assets().get(name)
    if asset is None:
        raise HTTPException(404)
    return await _serve_file(request, asset)


async def _serve_file(request: Request, asset: Asset) -> Response:
    """Send a file; a client asks each time whether its copy is still the same.

    The file is encoded once, and not again for each request.
    """
    may_compress = _may_compress(request, asset)
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}
    if may_compress:
        headers["Vary"] = "accept-encoding"
    if is_not_modified(request.headers, asset.etag):
        return Response(status_code=304, headers=headers)
    content = asset.content
    accepted = ",".join(request.headers.getlist("accept-encoding")).encode("latin-1")
    if may_compress and (coding := choose_coding(accepted).coding):
        headers["Content-Encoding"] = coding
        content = await to_thread(encode_once, coding, content)
    return Response(content, media_type=asset.media_type, headers=headers)


def _may_compress(request: Request, asset: Asset) -> bool:
    is_compressible = len(asset.content) >= MIN_BYTES and not asset.media_type.startswith("image/")
    return is_compressible and request.app.state.settings.server.compression


@cache
def _build_page(title: str) -> str:
    return Template(read_page()).substitute(title=escape(title))
