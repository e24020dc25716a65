"""Refuses a request target that a proxy in front may read otherwise, before anything compares it.

The layers after this one (exempt paths, body limits, routers) all compare the path that it leaves
in the scope.
"""

from collections.abc import Awaitable
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors.problem_json import build_problem
from gateway.errors.websocket_denial import deny_or_close
from gateway.request_context import RequestContext
from gateway.request_path import InvalidPath, decode_path, is_plain

MAX_QUERY_PARAMETERS = 1_000  # a head of 64 KiB holds 32,000, whose parsing takes 20 ms of CPU


class TargetValidation:
    """Pure ASGI middleware: a request with an invalid path or too long a query is refused with 400.

    It replaces `scope["path"]` by the path as `decode_path` decodes it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection; `lifespan` passes through."""
        if scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        raw_path, query = scope.get("raw_path"), scope["query_string"]
        if raw_path is None or not is_plain(raw_path):
            try:
                scope["path"] = read_path(scope)
            except InvalidPath as error:
                return _refuse(f"The path {error}.", scope)(scope, receive, send)
        if query and (fault := find_query_fault(query)):
            return _refuse(f"The query {fault}.", scope)(scope, receive, send)
        return self.app(scope, receive, send)


def find_query_fault(query: bytes) -> str:
    """Return why a query is refused, as the end of "The query ..."; "" if it is not."""
    if query.count(b"&") >= MAX_QUERY_PARAMETERS:
        return f"has more than {MAX_QUERY_PARAMETERS} parameters"
    return ""


def read_path(scope: Scope) -> str:
    """Return the path of a request as the routers may compare it.

    Raises:
        InvalidPath: programs may differ in what this path means.
    """
    raw_path: bytes | None = scope.get("raw_path")
    path: str = scope["path"]
    if raw_path is None or not is_plain(raw_path):
        return decode_path(raw_path or _escape(path))
    return path


def _escape(path: str) -> bytes:
    """Escape a decoded path, for an ASGI server that gives no `raw_path`."""
    return quote(path, errors="surrogatepass").encode()


def _refuse(detail: str, scope: Scope) -> ASGIApp:
    context = RequestContext.of(scope)
    context.log_fields["error"] = detail
    document = build_problem(HTTPException(400, detail), context)
    assert document is not None  # noqa: S101 - 400 is the status of a response
    return deny_or_close(document, scope)
