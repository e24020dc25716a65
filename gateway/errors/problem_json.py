"""Errors on the wire: `application/problem+json` (RFC 9457) for everything that goes wrong."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors.tree import OUR_PROBLEMS, GatewayError, retry_after
from gateway.request_context import RequestContext
from gateway.upstream.errors import UpstreamError, UpstreamReason

UPSTREAM_STATUS: dict[UpstreamReason, int] = {
    "timeout": 504,
    "unavailable": 503,
    "refused": 502,
    "invalid": 502,
}

UPSTREAM_DETAIL: dict[UpstreamReason, str] = {
    "timeout": "The {service} service did not answer in time.",
    "unavailable": "The {service} service is unavailable.",
    "refused": "The {service} service refused the request.",
    "invalid": "The {service} service gave an answer that makes no sense.",
}


def install_error_handlers(app: FastAPI) -> None:
    """Have `app` answer every error it knows with a problem document."""
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(UpstreamError, _upstream_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


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
    """Write a problem document; `instance` is the request id."""
    document = {
        "type": type,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request_id,
        **(members or {}),
    }
    return Problem(json.dumps(document), status_code=status, headers=headers)


def problem_for(error: GatewayError, exchange: RequestContext) -> Problem:
    """Write an error of the tree, and tell the log line of it."""
    exchange.log_fields["error"] = error.title
    return problem(
        exchange.request_id,
        status=error.status,
        type=error.type,
        title=error.title,
        detail=error.detail,
        headers=error.headers(),
        members=error.members(),
    )


def internal_error(request_id: str) -> Problem:
    """The answer to a failure nobody foresaw: it leaks nothing but the request id."""
    return problem(
        request_id,
        status=500,
        type=OUR_PROBLEMS + "internal-error",
        title="Internal error",
        detail="The gateway failed. Quote the instance when you report it.",
    )


async def _gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for no other
    return problem_for(error, RequestContext.of(request.scope))


async def _upstream_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UpstreamError)  # noqa: S101 - registered for no other
    exchange = RequestContext.of(request.scope)
    exchange.log_fields["error"] = str(error)
    status = UPSTREAM_STATUS[error.reason]
    return problem(
        exchange.request_id,
        status=status,
        type=f"{OUR_PROBLEMS}upstream-{error.reason}",
        title=f"Upstream {error.reason}",
        detail=UPSTREAM_DETAIL[error.reason].format(service=error.service),
        headers=retry_after(error.retry_after or 1) if status == 503 else None,
        members={"service": error.service},
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for no other
    mistakes = [
        {"in": str(where), "field": ".".join(map(str, path)), "message": mistake["msg"]}
        for mistake in error.errors()
        for where, *path in [mistake["loc"]]
    ]
    return problem(
        RequestContext.of(request.scope).request_id,
        status=422,
        type=OUR_PROBLEMS + "invalid-request",
        title="Invalid request",
        detail="; ".join(f"{m['in']} {m['field']}: {m['message']}" for m in mistakes[:5]),
        members={"errors": mistakes[:50]},
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    title = HTTPStatus(error.status_code).phrase
    return problem(
        RequestContext.of(request.scope).request_id,
        status=error.status_code,
        type="about:blank",
        title=title,
        detail=str(error.detail),
        headers=dict(error.headers) if error.headers else None,
    )
