"""The error responses of the server itself, for requests that no middleware can respond to."""

from http import HTTPStatus
from logging import INFO, getLogger

from starlette.responses import Response
from starlette.types import Scope

from gateway.errors.problem_json import Problem, build_internal_error
from gateway.http1_grammar import Fields, iter_valid_fields
from gateway.request_context import RequestContext, generate_request_id
from gateway.server.refusals import Refusal
from gateway.server.response_head import serialize_head
from gateway.telemetry.log import LogField, log_event
from gateway.upstream.problem import ABOUT_BLANK

log = getLogger("lockgate.server")


def serialize_internal_error(scope: Scope, fields: Fields) -> bytes:
    """Serialize the whole 500 response to a request whose app sent no response.

    `fields` are the default fields of the server. Those of the request's context let a page of
    another origin read the response.
    """
    context = RequestContext.of(scope)
    request_id = context.request_id or generate_request_id()
    is_head_request = scope["method"] == "HEAD"
    fields = [*fields, *iter_valid_fields(context.response_headers)]
    return _serialize(build_internal_error(request_id), request_id, fields, is_head_request)


def serialize_refusal(refusal: Refusal, fields: Fields, client: tuple[str, int] | None) -> bytes:
    """Serialize the whole response to a request that the app never gets, and log it.

    There is no request to log: `request.malformed` takes the place of the line in the access log.
    """
    request_id = generate_request_id()
    log_fields: dict[str, LogField] = {"id": request_id, "status": refusal.status}
    log_fields["reason"] = refusal.hint or refusal.detail
    if client is not None:
        log_fields["client"] = client[0]
    log_event(log, "request.malformed", INFO, **log_fields)
    document = Problem(
        request_id,
        status=refusal.status,
        type=ABOUT_BLANK,
        title=HTTPStatus(refusal.status).phrase,
        detail=refusal.detail,
    )
    return _serialize(document, request_id, fields, is_head_request=False)


def _serialize(document: Response, request_id: str, fields: Fields, is_head_request: bool) -> bytes:
    own = [*fields, *document.raw_headers, (b"x-request-id", request_id.encode())]
    status = document.status_code
    head = serialize_head(status, own, is_head_request=is_head_request, keeps_alive=False)
    return head.data if is_head_request else head.data + bytes(document.body)
