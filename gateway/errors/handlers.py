"""Exception handlers: they make FastAPI send a problem document for every expected error."""

from collections.abc import Set
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic_core import PydanticSerializationError
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, ExceptionHandler, Scope
from starlette.websockets import WebSocket, WebSocketClose, WebSocketState

from gateway.allowed_methods import find_allowed_methods
from gateway.errors.problem_json import build_problem
from gateway.errors.tree import GatewayError
from gateway.errors.websocket_denial import deny_or_close
from gateway.fastapi_internals import get_parsed_json
from gateway.request_context import RequestContext
from gateway.upstream.errors import InvalidArgument, UpstreamError
from gateway.upstream.lone_surrogates import (
    NO_LONE_SURROGATES,
    has_lone_surrogate,
    is_lone_surrogate_error,
)

_METHODS_OF_FILES = frozenset({"GET", "HEAD"})

_EXPECTED = (
    GatewayError,
    UpstreamError,
    InvalidArgument,
    RequestValidationError,
    WebSocketRequestValidationError,
    HTTPException,
    ExceptionGroup,
)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers; an application can replace each of them for its own routes.

    A WebSocket handshake is denied with the same document, or closed (see `deny_or_close`).
    """
    # Starlette runs any ASGI app that a handler returns; its types know only of responses.
    for kind in _EXPECTED:
        app.add_exception_handler(kind, cast("ExceptionHandler", _respond))
    for encoding_error in (UnicodeEncodeError, PydanticSerializationError):
        app.add_exception_handler(encoding_error, cast("ExceptionHandler", _respond_to_unencodable))
    app.add_exception_handler(WebSocketException, cast("ExceptionHandler", _close))


async def _respond(connection: HTTPConnection, error: Exception) -> ASGIApp:
    """Return the ASGI app that sends the problem document, or closes a WebSocket.

    An unexpected error, such as a group with one, is raised again: `RequestContextMiddleware` logs
    it and responds.
    """
    document = build_problem(error, RequestContext.of(connection.scope))
    if document is None:
        raise error
    if document.status_code == 405 and (methods := _find_allowed_methods(connection.scope)):
        document.headers["Allow"] = ", ".join(sorted(methods))
    is_accepted = (
        isinstance(connection, WebSocket)
        and connection.application_state is not WebSocketState.CONNECTING
    )
    return deny_or_close(document, connection.scope, is_accepted=is_accepted)


async def _respond_to_unencodable(connection: HTTPConnection, error: Exception) -> ASGIApp:
    """Refuse a request body with a lone surrogate, which its route has tried to encode.

    If the body has none, the text comes from the application, and the error is unexpected.
    """
    if is_lone_surrogate_error(error) and has_lone_surrogate(get_parsed_json(connection)):
        invalid = {"loc": ("body",), "msg": NO_LONE_SURROGATES}
        return await _respond(connection, RequestValidationError([invalid]))
    raise error


def _find_allowed_methods(scope: Scope) -> Set[str]:
    """Return the methods for the `Allow` of a 405; none if a route itself has raised it.

    A route has raised it if the method has a route. If no route has the path, it is a file of
    `router.frontend(...)`.
    """
    if scope["type"] != "http":
        return set()
    methods = find_allowed_methods(scope)
    return set() if scope["method"] in methods else methods or _METHODS_OF_FILES


async def _close(connection: HTTPConnection, error: Exception) -> ASGIApp:
    """Close a WebSocket with the code of the error. On an HTTP request, the error is unexpected."""
    assert isinstance(error, WebSocketException)  # noqa: S101 - registered for no other
    if connection.scope["type"] != "websocket":
        raise error
    return WebSocketClose(error.code, error.reason)
