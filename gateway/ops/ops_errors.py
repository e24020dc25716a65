"""The errors that only the ops API has; each is a problem document, as on the public port."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from gateway.errors.problem_json import INVALID_REQUEST, MAX_ERRORS, MAX_ERRORS_IN_DETAIL, Problem
from gateway.errors.problem_types import ProblemType
from gateway.errors.tree import IANA_PROBLEMS, OUR_PROBLEMS, build_retry_after
from gateway.request_context import RequestContext
from gateway.upstream.problem import ABOUT_BLANK, PROBLEM_MEDIA_TYPE

_AsyncHandler = Callable[[Request, Exception], Awaitable[Response]]


class OpsError(Exception):
    """An error of the ops API: its detail is for the operator, who may read all of it."""

    status: ClassVar[int]
    type: ClassVar[str] = ABOUT_BLANK
    title: ClassVar[str]
    retry_after: ClassVar[int | None] = None
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members


class UnknownLimit(OpsError):
    """There is no policy of this name."""

    status = 404
    title = HTTPStatus(404).phrase


class AmbiguousBody(OpsError):
    """The body is no JSON in UTF-8, or not one object that all parsers read alike."""

    status = 400
    title = HTTPStatus(400).phrase


class PreconditionRequired(OpsError):
    """A change without `If-Match` (RFC 6585, section 3)."""

    status = 428
    type = OUR_PROBLEMS + "precondition-required"
    title = "Precondition required"


class PreconditionFailed(OpsError):
    """A change of another version than the current one (RFC 9110, section 15.5.13)."""

    status = 412
    type = OUR_PROBLEMS + "precondition-failed"
    title = "Precondition failed"
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "current_version": {
            "type": "integer",
            "description": "The version of the policy now; absent if If-Match has no version",
        }
    }


class SimulationRefused(OpsError):
    """The recorded traffic does not tell what a proposed policy would do."""

    status = 409
    type = OUR_PROBLEMS + "cannot-simulate"
    title = "Cannot simulate"


class SimulationsBusy(OpsError):
    """More simulations than the ops app lets wait."""

    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"
    title = "Simulations busy"
    retry_after = 1


class ChangesUnavailable(OpsError):
    """Limits cannot be changed now, or not at all without a database."""

    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"
    title = "Changes unavailable"


class CountsUnavailable(OpsError):
    """The counts of a caller cannot be read."""

    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"
    title = "Counts unavailable"


class TrafficUnknown(OpsError):
    """No gateway process says what it has recorded."""

    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"
    title = "Traffic unknown"


class InvalidField(NamedTuple):
    """A field of a request that is not valid; the path of an override has its key.

    `location` is one of `gateway.errors.problem_json.LOCATIONS`.
    """

    field: str
    message: str
    location: str = "body"


class InvalidChange(OpsError):
    """A live document that does not fit its policy, or a key that is none of it."""

    status = 422
    type = INVALID_REQUEST
    title = "Invalid request"

    def __init__(self, fields: Sequence[InvalidField]) -> None:
        listed = [f"{it.location} {it.field}: {it.message}" for it in fields[:MAX_ERRORS_IN_DETAIL]]
        errors = [
            {"in": it.location, "field": it.field, "message": it.message}
            for it in fields[:MAX_ERRORS]
        ]
        super().__init__("; ".join(listed), errors=errors)


def describe_problems(*errors: type[OpsError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that raises these errors."""
    statuses = dict.fromkeys(error.status for error in errors)
    return {
        status: _describe_status([it for it in errors if it.status == status])
        for status in statuses
    }


def _describe_status(errors: Sequence[type[OpsError]]) -> dict[str, Any]:
    """Return the response of a status that these errors share."""
    schemas = [_build_schema(error) for error in errors]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        "description": " ".join(map(_summarize, errors)),
        "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
    }


def _build_schema(error: type[OpsError]) -> dict[str, Any]:
    name = f"{error.__name__}Problem"
    schema = ProblemType(name, error.type, error.status, _summarize(error)).build_schema()
    schema["properties"] |= error.member_schemas
    return schema


def _summarize(error: type[OpsError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]


def install_ops_errors(app: FastAPI) -> None:
    """Respond to an `OpsError`, and to a body that cannot be parsed, with a problem document.

    The handlers of the gateway must be installed before.
    """
    handler: ExceptionHandler = _respond
    app.add_exception_handler(OpsError, handler)
    # Starlette runs any ASGI app that a handler returns; its types know only of responses.
    respond_as_gateway = cast("_AsyncHandler", app.exception_handlers[HTTPException])

    async def respond(request: Request, error: Exception) -> Response:
        """Explain why FastAPI could not parse a body, which it does not say."""
        match error.__cause__:
            case RecursionError():
                return await _respond(request, AmbiguousBody("The body is nested too deep."))
            case UnicodeDecodeError():
                return await _respond(request, AmbiguousBody("The body is not in UTF-8."))
        return await respond_as_gateway(request, error)

    app.add_exception_handler(HTTPException, respond)


async def _respond(request: Request, error: Exception) -> Response:
    assert isinstance(error, OpsError)  # noqa: S101 - registered for no other
    context = RequestContext.of(request.scope)
    context.log_fields["error"] = error.title
    return Problem(
        context.request_id,
        status=error.status,
        type=error.type,
        title=error.title,
        detail=error.detail,
        headers=build_retry_after(error.retry_after) if error.retry_after else None,
        members=error.members,
    )
