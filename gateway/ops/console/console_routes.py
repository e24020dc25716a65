"""GET / of the ops port: the console. Its data come from the ops API, with the operator's token."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from gateway.auth.dependencies import public
from gateway.entity_tag import is_not_modified
from gateway.ops.console.static_files import load_console

# Only files of the ops port; no form is sent, no frame shows the page, and no script can turn a
# string into HTML or code, so a hostile key or reason stays text.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "clipboard-read",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "serial",
    "usb",
)
PERMISSIONS_POLICY = ", ".join(f"{name}=()" for name in _UNUSED_FEATURES)

router = APIRouter(
    include_in_schema=False,
    dependencies=[public("the page and its files hold no data; each call of the API has a token")],
)


@router.get("/")
async def get_console() -> HTMLResponse:
    """The page. A browser asks for it each time, so it shows the version that runs."""
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Permissions-Policy": PERMISSIONS_POLICY,
    }
    return HTMLResponse(load_console().page, headers=headers)


@router.get("/console/{digest}/{path:path}")
async def get_console_asset(digest: str, path: str, request: Request) -> Response:
    """A file of the page; the digest in its URL changes with the files, so it is kept for good."""
    console = load_console()
    asset = console.assets.get(path) if digest == console.digest else None
    if asset is None:
        raise HTTPException(404)
    headers = {"ETag": asset.etag, "Cache-Control": "public, max-age=31536000, immutable"}
    if is_not_modified(request.headers, asset.etag):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
