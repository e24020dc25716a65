"""What the five services have in common: one GET route, JSON answers, and RFC 9457 for mistakes."""

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

LARGEST_ID = 2**63 - 1

_ID = re.compile(r"[1-9][0-9]{0,18}")


def service(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """An app that answers GET on `path`, and everything else with a problem document."""
    return Starlette(
        routes=[Route(path, endpoint)], exception_handlers={HTTPException: _http_exception}
    )


def json_bytes(document: object) -> bytes:
    """Compact JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def answer(body: bytes) -> Response:
    """A 200 with that JSON."""
    return Response(body, media_type="application/json")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem document of the kind `about:blank`."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(json_bytes(document), status, headers, "application/problem+json")


def user_id(text: str | None) -> int:
    """The user id in a path or query.

    Raises:
        HTTPException: 422 if there is none, 404 if nobody can have it.
    """
    if text is None:
        raise HTTPException(422, "user_id is missing.")
    if not _ID.fullmatch(text) or int(text) > LARGEST_ID:
        raise HTTPException(404, "There is no such user.")
    return int(text)


async def _http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, error.detail, headers)
