"""Error responses: every error is sent as `application/problem+json` (RFC 9457)."""

import json
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler
from starlette.websockets import WebSocket, WebSocketState

from gateway.errors.tree import OUR_PROBLEMS, GatewayError, retry_after
from gateway.errors.websocket_denial import deny_or_close
from gateway.request_context import RequestContext
from gateway.upstream.errors import UpstreamError, UpstreamReason
from gateway.upstream.problem import UpstreamProblem

MAX_ERRORS = 50  # invalid fields that one problem document lists
MAX_ERRORS_IN_DETAIL = 5

UPSTREAM_STATUS: dict[UpstreamReason, int] = {
    "timeout": 504,
    "unavailable": 503,
    "refused": 502,
    "invalid": 502,
}

UPSTREAM_DETAIL: dict[UpstreamReason, str] = {
    "timeout": "The {service} service did not respond in time.",
    "unavailable": "The {service} service is unavailable.",
    "refused": "The {service} service refused the request.",
    "invalid": "The {service} service sent an invalid response.",
}


def install_error_handlers(app: FastAPI) -> None:
    """Register exception handlers, so that `app` sends a problem document for each known error.

    A WebSocket handshake is denied with the same document, or closed (see `deny_or_close`).
    """
    for kind, handler in _HANDLERS.items():
        # Starlette runs any ASGI app that a handler returns; its types know only of responses.
        app.add_exception_handler(kind, cast("ExceptionHandler", handler))


class Problem(Response):
    """A problem document as a response."""

    media_type = "application/problem+json"


def problem(  # noqa: PLR0913 - one keyword per member of RFC 9457
    request_id: str,
    *,
    status: int,
    type: str,  # noqa: A002 - RFC 9457's name
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    members: dict[str, Any] | None = None,
) -> Problem:
    """Build a problem document; `instance` is the request id, `members` extend the document."""
    document = {
        "type": type,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request_id,
        **(members or {}),
    }
    return Problem(json.dumps(document), status_code=status, headers=headers)


def problem_for(error: GatewayError, context: RequestContext) -> Problem:
    """Build the problem document for an error of the tree, and log its title as `error`."""
    context.log_fields["error"] = error.title
    return problem(
        context.request_id,
        status=error.status,
        type=error.type,
        title=error.title,
        detail=error.detail,
        headers=error.headers(),
        members=error.members(),
    )


def internal_error(request_id: str) -> Problem:
    """Build the last-resort 500, which reveals nothing but the request id.

    `RequestContextMiddleware` sends it for an exception that no handler is registered for.
    """
    return problem(
        request_id,
        status=500,
        type=OUR_PROBLEMS + "internal-error",
        title="Internal error",
        detail="An unexpected error occurred. Quote the instance when you report it.",
    )


async def _handle_gateway_error(connection: HTTPConnection, error: Exception) -> ASGIApp:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for no other
    return _refuse(connection, problem_for(error, RequestContext.of(connection.scope)))


def problem_of_service(error: UpstreamProblem, context: RequestContext) -> Problem:
    """Build the document that a typed client declares for a refusal of its service."""
    context.log_fields["error"] = str(error)
    declared = error.declaration
    return problem(
        context.request_id,
        status=declared.status,
        type=declared.type_uri,
        title=declared.title,
        detail=declared.detail,
        members=error.members,
    )


async def _handle_upstream_problem(connection: HTTPConnection, error: Exception) -> ASGIApp:
    assert isinstance(error, UpstreamProblem)  # noqa: S101 - registered for no other
    return _refuse(connection, problem_of_service(error, RequestContext.of(connection.scope)))


async def _handle_upstream_error(connection: HTTPConnection, error: Exception) -> ASGIApp:
    assert isinstance(error, UpstreamError)  # noqa: S101 - registered for no other
    context = RequestContext.of(connection.scope)
    context.log_fields["error"] = str(error)
    status = UPSTREAM_STATUS[error.reason]
    document = problem(
        context.request_id,
        status=status,
        type=f"{OUR_PROBLEMS}upstream-{error.reason}",
        title=f"Upstream {error.reason}",
        detail=UPSTREAM_DETAIL[error.reason].format(service=error.service),
        headers=retry_after(error.retry_after or 1) if status == 503 else None,
        members={"service": error.service},
    )
    return _refuse(connection, document)


async def _handle_validation_error(connection: HTTPConnection, error: Exception) -> ASGIApp:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)  # noqa: S101 - registered for no other
    errors = [
        {"in": str(location), "field": ".".join(map(str, path)), "message": invalid["msg"]}
        for invalid in error.errors()
        for location, *path in [invalid["loc"]]
    ]
    first = errors[:MAX_ERRORS_IN_DETAIL]
    document = problem(
        RequestContext.of(connection.scope).request_id,
        status=422,
        type=OUR_PROBLEMS + "invalid-request",
        title="Invalid request",
        detail="; ".join(f"{e['in']} {e['field']}: {e['message']}" for e in first),
        members={"errors": errors[:MAX_ERRORS]},
    )
    return _refuse(connection, document)


async def _handle_http_exception(connection: HTTPConnection, error: Exception) -> ASGIApp:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    document = problem(
        RequestContext.of(connection.scope).request_id,
        status=error.status_code,
        type="about:blank",
        title=HTTPStatus(error.status_code).phrase,
        detail=str(error.detail),
        headers=dict(error.headers) if error.headers else None,
    )
    return _refuse(connection, document)


def _refuse(connection: HTTPConnection, document: Problem) -> ASGIApp:
    """Return the ASGI app that sends the document, or closes a WebSocket."""
    is_accepted = (
        isinstance(connection, WebSocket)
        and connection.application_state is not WebSocketState.CONNECTING
    )
    return deny_or_close(document, connection.scope, is_accepted=is_accepted)


_HANDLERS = {
    GatewayError: _handle_gateway_error,
    UpstreamError: _handle_upstream_error,
    UpstreamProblem: _handle_upstream_problem,
    RequestValidationError: _handle_validation_error,
    WebSocketRequestValidationError: _handle_validation_error,
    HTTPException: _handle_http_exception,
}
