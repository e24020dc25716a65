"""The response of a proxied route whose body is still arriving."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from logging import WARNING, getLogger

from starlette.types import Receive, Scope, Send

from gateway.http1_grammar import FieldList, Fields
from gateway.proxy.proxied_response import build_start
from gateway.proxy.stream_end import SHUTDOWN, TOKEN_REVOKED, StreamEnd
from gateway.proxy.stream_limit import LONG_BYTES, StreamSlot
from gateway.proxy.upstream.proxy_upstream import ServiceResponse
from gateway.proxy.upstream.upstream_failures import (
    IDLE_TIMEOUT,
    STREAM_FAILURES,
    TOTAL_TIMEOUT,
    FailureMapper,
)
from gateway.request_context import (
    DISCARD_RESPONSE,
    RESPONSE_TRAILERS,
    RequestContext,
)
from gateway.routing.response_endpoint import UnhandledResponse
from gateway.server.shutdown_notice import call_at_shutdown
from gateway.telemetry.log import log_event

log = getLogger("lockgate.proxy")

_EVENT_STREAM = re.compile(rb"text/event-stream[ \t]*(?:;.*)?", re.IGNORECASE)
_ENDS_OF_EVENTS = (b"\n\n", b"\n\r", b"\n\r\n", b"\r\r", b"\r\r\n")
"""The end of a line, and an empty line: LF, CR and CRLF may be mixed; a CRLF is one end alone."""

_MAX_END = max(map(len, _ENDS_OF_EVENTS))


class ProxiedStream(UnhandledResponse):
    """Passes the body on piece by piece, as it arrives: nothing waits for a timer or a full buffer.

    A body that ends early must not look complete: the response is left incomplete, and the server
    breaks the connection. An event stream that must end is ended between two events.
    `select_trailers` returns the trailers that may go back.
    """

    def __init__(  # noqa: PLR0913 - each of them is needed once the head has been sent
        self,
        response: ServiceResponse,
        fields: FieldList,
        slot: StreamSlot,
        end: StreamEnd,
        failures: FailureMapper,
        *,
        select_trailers: Callable[[Fields], FieldList],
    ) -> None:
        self.status_code = response.status
        self.raw_headers = fields
        self.background = None
        self._response = response
        self._select_trailers = select_trailers
        self._slot = slot
        self._end = end
        self._failures = failures
        self._has_sent = self._has_trailers = False
        self._is_event_stream = self._is_between_events = _is_event_stream(response.fields)
        self._last_bytes = b""
        slot.follow(response.detach)
        # A response that is never sent must not keep its connection: its task ends first.
        self._task = asyncio.current_task()
        if self._task is not None:
            self._task.add_done_callback(self._abandon)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and end the exchange with the service in any case."""
        timeout = asyncio.timeout_at(self._end.at)
        try:
            async with timeout:
                with self._end_on_shutdown(scope, timeout), self._end_on_revocation(timeout):
                    await self._pass_on(scope, send)
        except STREAM_FAILURES as error:
            if timeout.expired() and type(error) is TimeoutError:
                await self._end_early(scope, send)
            else:
                failure = self._failures.map(scope, error, IDLE_TIMEOUT)
                await self._replace(failure, scope, send)
                self._truncate(scope, str(failure))
        except asyncio.CancelledError:
            # The server has set a status if the caller has disconnected. Otherwise it stops.
            if "status" not in RequestContext.of(scope).log_fields:
                self._truncate(scope, SHUTDOWN)
            raise
        finally:
            if self._task is not None:
                self._task.remove_done_callback(self._abandon)
            await self._end_exchange()

    def _abandon(self, _: asyncio.Task[object]) -> None:
        """End the exchange of a response that was not sent."""
        self._ending = asyncio.get_running_loop().create_task(self._end_exchange())

    async def _end_exchange(self) -> None:
        self._slot.close()
        await self._response.aclose()

    @contextmanager
    def _end_on_shutdown(self, scope: Scope, timeout: asyncio.Timeout) -> Iterator[None]:
        """Let the timeout of an event stream, which has no end of its own, expire at a shutdown."""
        if not self._is_event_stream:
            yield
            return

        with call_at_shutdown(scope, partial(self._end_now, timeout, SHUTDOWN)):
            yield

    def _end_on_revocation(self, timeout: asyncio.Timeout) -> AbstractContextManager[None]:
        """Let the timeout expire when the token is revoked, whatever the response is."""
        return self._slot.call_when_revoked(partial(self._end_now, timeout, TOKEN_REVOKED))

    def _end_now(self, timeout: asyncio.Timeout, reason: str) -> None:
        if not timeout.expired():
            self._end = StreamEnd(asyncio.get_running_loop().time(), reason)
            timeout.reschedule(self._end.at)

    async def _pass_on(self, scope: Scope, send: Send) -> None:
        self._slot.watch(asyncio.get_running_loop())
        self._has_trailers = RESPONSE_TRAILERS in (scope.get("extensions") or {})
        await send({**build_start(self), "trailers": self._has_trailers})
        await self._pass_body_on(send)
        await self._send_trailers(self._select_trailers(self._response.trailers), send)

    async def _pass_body_on(self, send: Send) -> None:
        response = self._response
        while (piece := await response.receive()) is not None:
            is_last = response.is_complete
            await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
            self._has_sent = True
            self._slot.add_bytes(len(piece))
            if is_last:
                return
            if self._is_event_stream:
                # An empty line may arrive in pieces.
                self._last_bytes = (self._last_bytes + piece[-_MAX_END:])[-_MAX_END:]
                self._is_between_events = self._last_bytes.endswith(_ENDS_OF_EVENTS)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_trailers(self, fields: FieldList, send: Send) -> None:
        if self._has_trailers:
            await send({"type": RESPONSE_TRAILERS, "headers": fields, "more_trailers": False})

    async def _end_early(self, scope: Scope, send: Send) -> None:
        """End the response because its time is up: an event stream between two events is complete.

        Raises:
            UpstreamTimeout: no byte has been sent within `total_timeout`.
        """
        reason = self._end.reason
        if self._is_between_events:
            RequestContext.of(scope).log_fields["error"] = reason
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            await self._send_trailers([], send)
            return
        if reason == TOTAL_TIMEOUT:
            failure = self._failures.map(scope, TimeoutError(), TOTAL_TIMEOUT)
            await self._replace(failure, scope, send)
        self._truncate(scope, reason)

    async def _replace(self, failure: Exception, scope: Scope, send: Send) -> None:
        """Raise the failure if no byte has been sent yet: its response replaces this one."""
        if not self._has_sent and DISCARD_RESPONSE in (scope.get("extensions") or {}):
            with suppress(RuntimeError):  # too late
                await send({"type": DISCARD_RESPONSE})
                RequestContext.of(scope).status = 0
                raise failure

    def _truncate(self, scope: Scope, reason: str) -> None:
        """Log that the response stays incomplete; the server breaks the connection."""
        context = RequestContext.of(scope)
        context.log_fields["error"] = reason
        context.is_failure_logged = True
        log_event(
            log,
            "proxy.response_truncated",
            WARNING,
            id=context.request_id,
            service=self._failures.service,
            reason=reason,
            bytes=context.bytes_sent,
        )


def find_length(fields: Fields) -> int | None:
    """Return the Content-Length of a response as the service sent it; None if it declares none.

    It has at most MAX_LENGTH_DIGITS digits: `ProxyUpstream.send` refuses any other.
    """
    return next((int(value) for name, value in fields if name.lower() == b"content-length"), None)


def is_long(length: int | None, fields: Fields) -> bool:
    """Whether the body is known to be long: an event stream, or one with a long Content-Length."""
    return (length is not None and length > LONG_BYTES) or _is_event_stream(fields)


def _is_event_stream(fields: Fields) -> bool:
    return any(
        name.lower() == b"content-type" and _EVENT_STREAM.fullmatch(value) for name, value in fields
    )
