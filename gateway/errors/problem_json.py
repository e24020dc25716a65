"""Problem documents: every error is sent as `application/problem+json` (RFC 9457)."""

import json
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.errors.tree import OUR_PROBLEMS, GatewayError, build_retry_after
from gateway.request_context import RequestContext
from gateway.upstream.errors import InvalidArgument, UpstreamError, UpstreamReason
from gateway.upstream.problem import ABOUT_BLANK, PROBLEM_MEDIA_TYPE, UpstreamProblem

MAX_ERRORS = 50  # invalid fields that one problem document lists
MAX_ERRORS_IN_DETAIL = 5

INVALID_REQUEST = OUR_PROBLEMS + "invalid-request"
INTERNAL_ERROR = OUR_PROBLEMS + "internal-error"
LOCATIONS = ("path", "query", "header", "cookie", "body", "request")
"""Where an invalid value is: a part of the request, or `request` if the error does not say."""

UPSTREAM_STATUS: dict[UpstreamReason, int] = {
    "timeout": 504,
    "unavailable": 503,
    "refused": 502,
    "invalid": 502,
}

UPSTREAM_TYPE: dict[UpstreamReason, str] = {
    reason: f"{OUR_PROBLEMS}upstream-{reason}" for reason in UPSTREAM_STATUS
}

UPSTREAM_DETAIL: dict[UpstreamReason, str] = {
    "timeout": "The {service} service did not respond in time.",
    "unavailable": "The {service} service is unavailable.",
    "refused": "The {service} service refused the request.",
    "invalid": "The {service} service sent an invalid response.",
}

_WITHOUT_BODY = frozenset({204, 205, 304})


class Problem(Response):
    """A problem document as a response.

    `instance` is the request id, and `members` extend the document. No cache may store it, unless
    `headers` say otherwise: a cache might keep a 404 for long (RFC 9111, section 4.2.2). A lone
    surrogate, which a client can send in JSON, has no UTF-8 form and becomes "?".
    """

    media_type = PROBLEM_MEDIA_TYPE

    def __init__(  # noqa: PLR0913 - one keyword per member of RFC 9457
        self,
        request_id: str,
        *,
        status: int,
        type: str,  # noqa: A002 - RFC 9457's name
        title: str,
        detail: str,
        headers: dict[str, str] | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        standard = {
            "type": type,
            "title": title,
            "status": status,
            "detail": detail,
            "instance": request_id,
        }
        # Twice: the standard members come first, and no other member replaces them.
        document = {**standard, **(members or {}), **standard}
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        super().__init__(body, status_code=status, headers=headers)
        self.headers.setdefault("Cache-Control", "no-store")


def build_internal_error(request_id: str) -> Problem:
    """Build the last-resort 500, which reveals nothing but the request id."""
    return Problem(
        request_id,
        status=500,
        type=INTERNAL_ERROR,
        title="Internal error",
        detail="An unexpected error occurred. Quote the instance when you report it.",
    )


def build_problem(error: BaseException, context: RequestContext) -> Response | None:
    """Build the response to an expected error; return None if the error is unexpected.

    Expected are the errors of the tree, of calls and of validation, and an `HTTPException` with a
    final status. A group is expected if every error in it is: the first one is the response. The
    others were raised while the first one cancelled their tasks.
    """
    document: Response | None = None
    match error:
        case GatewayError():
            document = build_gateway_problem(error, context)
        case UpstreamProblem():
            document = _build_raised_problem(error, context)
        case UpstreamError():
            document = _build_call_problem(error, context)
        case InvalidArgument():
            context.log_fields["error"] = str(error)
            document = _build_invalid_request([("request", error.name, error.reason)], context)
        case RequestValidationError() | WebSocketRequestValidationError():
            document = _build_invalid_request(_locate_all(error), context)
        case HTTPException():
            document = _build_status_problem(error, context)
        case ExceptionGroup():
            # The first one is built last, so that the log fields are its own.
            documents = [build_problem(inner, context) for inner in reversed(error.exceptions)]
            document = None if None in documents else documents[-1]
    return document


def build_gateway_problem(error: GatewayError, context: RequestContext) -> Problem:
    """Build the problem document for an error of the tree, and log its title as `error`."""
    context.log_fields["error"] = error.title
    return Problem(
        context.request_id,
        status=error.status,
        type=error.type,
        title=error.title,
        detail=_format_detail(error.detail),  # a decorator of slowapi declares its own
        headers=error.headers,
        members=error.members,
    )


def get_phrase(status: int) -> str:
    """Return the reason phrase of a status.

    An unknown status has the phrase of the x00 of its class, as which a client treats it (RFC 9110,
    section 15).
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return HTTPStatus(status // 100 * 100).phrase


def _build_raised_problem(error: UpstreamProblem, context: RequestContext) -> Problem:
    """Build the document that a typed client declares for a refusal of its service."""
    context.log_fields["error"] = str(error)
    declared = error.declaration
    return Problem(
        context.request_id,
        status=declared.status,
        type=declared.type_uri,
        title=declared.title or get_phrase(declared.status),
        detail=declared.detail,
        members=error.members,
    )


def _build_call_problem(error: UpstreamError, context: RequestContext) -> Problem:
    context.log_fields["error"] = str(error)
    status = UPSTREAM_STATUS[error.reason]
    return Problem(
        context.request_id,
        status=status,
        type=UPSTREAM_TYPE[error.reason],
        title=f"Upstream {error.reason}",
        detail=UPSTREAM_DETAIL[error.reason].format(service=error.service),
        headers=build_retry_after(error.retry_after or 1) if status == 503 else None,
        members={"service": error.service},
    )


def _locate_all(
    error: RequestValidationError | WebSocketRequestValidationError,
) -> list[tuple[str, str, str]]:
    """Return the location, field and message of each error.

    If the body is not JSON, FastAPI names the offset of the error as if it were a field.
    """
    if isinstance(malformed := error.__cause__, JSONDecodeError):
        message = f"JSON decode error at character {malformed.pos}: {malformed.msg}"
        return [("body", "", message)]
    return [_locate(invalid) for invalid in error.errors()]


def _locate(invalid: dict[str, Any]) -> tuple[str, str, str]:
    """Return the location, field and message of one validation error.

    The errors of FastAPI begin with the part of the request. An application that raises the errors
    of a model of its own leaves that out.
    """
    place = [str(step) for step in invalid.get("loc", ())]
    location = place.pop(0) if place and place[0] in LOCATIONS else "request"
    message = str(invalid.get("msg", "is not valid"))
    if invalid.get("type") == "value_error":  # pydantic puts this before the text of a ValueError
        message = message.removeprefix("Value error, ")
    return location, ".".join(place), message


def _build_invalid_request(found: list[tuple[str, str, str]], context: RequestContext) -> Problem:
    errors = [
        {"in": location, "field": field or location, "message": message}
        for location, field, message in found
    ]
    sentences = [
        f"{f'{location} {field}'.rstrip()}: {message}"
        for location, field, message in found[:MAX_ERRORS_IN_DETAIL]
    ]
    return Problem(
        context.request_id,
        status=422,
        type=INVALID_REQUEST,
        title="Invalid request",
        detail="; ".join(sentences),
        members={"errors": errors[:MAX_ERRORS]},
    )


def _build_status_problem(error: HTTPException, context: RequestContext) -> Response | None:
    """Build the response to an `HTTPException`; None if its status cannot be that of a response.

    A status above 599 is invalid (RFC 9110, section 15), and one below 200 is not final.
    """
    status = error.status_code
    if not isinstance(status, int) or not 200 <= status <= 599:
        return None
    headers = dict(error.headers) if error.headers else None
    if status in _WITHOUT_BODY:
        return Response(status_code=status, headers=headers)
    return Problem(
        context.request_id,
        status=int(status),
        type=ABOUT_BLANK,
        title=get_phrase(status),
        detail=_format_detail(error.detail) or get_phrase(status),
        headers=headers,
    )


def _format_detail(detail: object) -> str:
    """Return the text of `HTTPException.detail`; another value as JSON, or "" if it has no JSON.

    FastAPI allows any value there, whereas `detail` is a text (RFC 9457, section 3.1.4).
    """
    if detail is None or isinstance(detail, str):
        return detail or ""
    try:
        return to_json(detail, inf_nan_mode="null").decode()
    except ValueError:
        return ""
