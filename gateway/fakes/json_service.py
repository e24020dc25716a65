"""A fake service with one GET route, JSON responses and problem documents."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.upstream.problem import ABOUT_BLANK, PROBLEM_MEDIA_TYPE


def create_json_service(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Create an app with GET on `path`. Every error is a problem document (RFC 9457)."""
    return Starlette(
        routes=[Route(path, endpoint)], exception_handlers={HTTPException: _handle_http_exception}
    )


def encode_json(document: object) -> bytes:
    """Serialize to compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def json_response(body: bytes) -> Response:
    """Return a 200 response; `body` is serialized JSON."""
    return Response(body, media_type="application/json")


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem document of type `about:blank` (RFC 9457, section 4.2.1)."""
    document = {
        "type": ABOUT_BLANK,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(encode_json(document), status, headers, PROBLEM_MEDIA_TYPE)


async def _handle_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, error.detail, headers)
