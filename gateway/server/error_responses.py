"""The error responses of the server itself, for requests that no middleware can respond to."""

from http import HTTPStatus
from logging import INFO, getLogger

from starlette.types import Scope

from gateway.errors.problem_json import Problem, build_internal_error
from gateway.http1_grammar import Fields, iter_valid_fields
from gateway.request_context import RequestContext, generate_request_id
from gateway.server.refusals import Refusal
from gateway.server.response_head import serialize_head
from gateway.telemetry.log import LogField, log_event
from gateway.upstream.problem import ABOUT_BLANK

SHUTDOWN_RETRY_SECONDS = 1  # by then, a load balancer has chosen another gateway

log = getLogger("lockgate.server")


def serialize_internal_error(scope: Scope, fields: Fields) -> bytes:
    """Serialize the whole 500 response to a request whose app sent no response.

    `fields` are the default fields of the server.
    """
    context = RequestContext.of(scope)
    request_id = context.request_id or generate_request_id()
    problem = build_internal_error(request_id)
    return _serialize(problem, request_id, fields, context, scope["method"] == "HEAD")


def serialize_shutdown_error(scope: Scope, fields: Fields) -> bytes:
    """Serialize the whole 503 response to a request that the server cancels when it stops."""
    context = RequestContext.of(scope)
    request_id = context.request_id or generate_request_id()
    problem = Problem(
        request_id,
        status=503,
        type=ABOUT_BLANK,
        title=HTTPStatus.SERVICE_UNAVAILABLE.phrase,
        detail="The server is stopping, and the request took too long. Send it again.",
        headers={"Retry-After": str(SHUTDOWN_RETRY_SECONDS)},
    )
    return _serialize(problem, request_id, fields, context, scope["method"] == "HEAD")


def serialize_refusal(
    refusal: Refusal, fields: Fields, client: tuple[str, int] | None, context: RequestContext
) -> bytes:
    """Serialize the whole response to a request that the server refuses, and log it.

    The log has `request.timeout` for 408, and `request.malformed` for any other status. If the head
    was refused, `context` is empty, and there is no line in the access log. If the body was, that
    line has the same id and the same reason.
    """
    request_id = context.request_id or generate_request_id()
    reason = refusal.hint or refusal.detail
    log_fields: dict[str, LogField] = {"id": request_id, "status": refusal.status, "reason": reason}
    if client is not None:
        log_fields["client"] = client[0]
    is_timeout = refusal.status == HTTPStatus.REQUEST_TIMEOUT
    log_event(log, "request.timeout" if is_timeout else "request.malformed", INFO, **log_fields)
    document = Problem(
        request_id,
        status=refusal.status,
        type=ABOUT_BLANK,
        title=HTTPStatus(refusal.status).phrase,
        detail=refusal.detail,
    )
    context.log_fields |= {"reason": reason, "bytes": len(document.body)}
    return _serialize(document, request_id, fields, context)


def _serialize(
    document: Problem,
    request_id: str,
    fields: Fields,
    context: RequestContext,
    is_head_request: bool = False,
) -> bytes:
    """Serialize a problem; the fields of `context` let a page of another origin read it."""
    own = [
        *fields,
        *document.raw_headers,
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        *iter_valid_fields(context.response_headers),
    ]
    status = document.status_code
    head = serialize_head(status, own, is_head_request=is_head_request, keeps_alive=False)
    return head.data if is_head_request else head.data + bytes(document.body)
