"""The last resort for an exception that no handler has caught: one log event and one response."""

import asyncio
from contextlib import suppress
from logging import ERROR, getLogger

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors.problem_json import build_internal_error, build_problem
from gateway.errors.websocket_denial import deny_or_close
from gateway.fastapi_internals import unwrap_handled_error
from gateway.http1_grammar import iter_valid_fields
from gateway.request_context import DISCARD_RESPONSE, RequestContext
from gateway.telemetry.log import log_event

log = getLogger("lockgate.access")


def is_end_of_task(error: BaseException, context: RequestContext) -> bool:
    """Whether the exception ends the task of the request, and is not a failure of the application.

    The server cancels the task when the client disconnects, and `send` raises an OSError. A
    `CancelledError` without such a request comes from the application, for example from another
    task that it awaited.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    if isinstance(error, OSError):
        return context.has_client_gone
    return isinstance(error, GeneratorExit | ClientDisconnect)


async def respond_to_failure(
    error: BaseException, scope: Scope, receive: Receive, send: Send, *, is_closed: bool = False
) -> bool:
    """Send the problem document for an exception of the application; log it if it is unexpected.

    An expected error may come from a middleware of the application, which no handler of FastAPI
    covers. An unexpected one of any kind, `SystemExit` included, is a 500 that reveals only the
    request id: one request must not stop the process. `is_closed` says that the WebSocket has been
    closed, so that nothing can be sent. A client that has gone gets no response either.

    Returns False if a part of the response has been sent. The error has been logged then, and the
    caller raises it again: the server breaks the connection, unless the response is complete.
    """
    try:
        context = RequestContext.of(scope)
        if not is_closed and await _can_respond(scope, send):
            try:
                if document := build_problem(unwrap_handled_error(error), context):
                    await _send(document, scope, receive, send)
                    return True
            except Exception as failure:  # noqa: BLE001 - such as a header field that cannot be sent
                if context.has_client_gone:
                    return True
                error = failure
        log_event(log, "request.failed", ERROR, error, id=context.request_id)
        context.is_failure_logged = True
        if is_closed:
            return True
        if not await _can_respond(scope, send):
            return False
        _drop_invalid_headers(context)
        with suppress(OSError):  # the client has gone
            await _send(build_internal_error(context.request_id), scope, receive, send)
        return True
    finally:
        del error  # its traceback may refer to this frame, which would be a cycle


def _drop_invalid_headers(context: RequestContext) -> None:
    """Drop the gathered header fields that the server refuses: they may be the failure itself."""
    context.response_headers = [*iter_valid_fields(context.response_headers)]


async def _can_respond(scope: Scope, send: Send) -> bool:
    """Whether no byte of a response has been sent; the server discards one that it still holds.

    A WebSocket that has been accepted can still be closed.
    """
    context = RequestContext.of(scope)
    if context.status == 0 or (scope["type"] == "websocket" and context.status == 101):
        return True
    if DISCARD_RESPONSE not in (scope.get("extensions") or {}):
        return False
    try:
        await send({"type": DISCARD_RESPONSE})
    except (RuntimeError, OSError):  # too late, or the client has gone
        return False
    context.status = context.bytes_sent = 0
    return True


async def _send(document: Response, scope: Scope, receive: Receive, send: Send) -> None:
    is_accepted = RequestContext.of(scope).status == 101
    await deny_or_close(document, scope, is_accepted=is_accepted)(scope, receive, send)
