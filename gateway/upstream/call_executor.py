"""The executor of every call to a downstream service.

It has three entry points: `begin` for the calls of a composite, `execute` for an awaited call, and
`stream`. All three run the policies of the service, use the same sender, and raise the same
errors. Policies add no cost to a service that has none.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import TypeVar

from gateway.pending_io import TimeoutAfterPendingIo
from gateway.transport.connection import Connection
from gateway.transport.raw_response import RawResponse
from gateway.upstream.call import Call
from gateway.upstream.call_policy import CallPolicy, apply_policies
from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.deadline import deadline, remaining
from gateway.upstream.decoding import decode
from gateway.upstream.error_mapping import CALL_FAILURES, map_error, map_status
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.sender import HttpxSender
from gateway.upstream.streaming import StreamedResponse

T = TypeVar("T")

InFlight = Connection | asyncio.Task[None]
"""The handle to abandon a call in flight: its connection, or the task that makes it."""

OnCallComplete = Callable[[RawResponse | Exception, bool], None]
"""Called once with the outcome of a call, and with True if the connection was stale."""


class CallExecutor:
    """Makes the calls of one client, each within its timeout.

    `service` is the name of the service in errors. `timeout` is in seconds and applies to a call
    that sets none. The first of `policies` is the outermost.
    """

    def __init__(
        self,
        service: str,
        sender: HttpxSender,
        *,
        timeout: float,
        max_body_bytes: int,
        policies: Sequence[CallPolicy] = (),
    ) -> None:
        self._service = service
        self._sender = sender
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._policies = tuple(policies)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        """Show the service, and the number of calls that tasks are making."""
        return f"<CallExecutor {self._service} tasks={len(self._tasks)}>"

    # The calls of a composite. Invariants:
    #
    #   - `on_complete` is called once for each call that has begun: by the connection, by the
    #     task, or, if the task was cancelled, by its done callback. An abandoned call ignores it
    #     (`PendingCall._complete`).
    #   - A task is in `_tasks` until it has ended: the event loop does not keep it alive.

    def begin(self, call: Call, ends_at: float, on_complete: OnCallComplete) -> InFlight:
        """Begin a call. `on_complete` is called once, later, by `ends_at` at the latest.

        `ends_at` is a time of the event loop's clock. If there are no policies and a connection
        is idle, the request is sent at once and the connection calls `on_complete`. Otherwise a
        task makes the call.

        Raises:
            ValueError: the call cannot be serialized.
        """
        if not self._policies:
            connection = self._sender.try_begin(call, ends_at, on_complete)
            if connection is not None:
                return connection
        return self.begin_in_task(call, ends_at, on_complete)

    def begin_in_task(
        self, call: Call, ends_at: float, on_complete: OnCallComplete, *, force_new: bool = False
    ) -> asyncio.Task[None]:
        """Begin a call in a separate task; `force_new` makes it use a new connection.

        Policies run in the context of the incoming request, which holds its tracing and logging
        data. Without policies the context is empty: a retry may begin in a callback of a
        connection, whose context may belong to another request.
        """
        task = asyncio.get_running_loop().create_task(
            self._execute_in_task(call, ends_at, on_complete, force_new=force_new),
            name=call.operation,
            context=None if self._policies else Context(),
        )
        self._tasks.add(task)
        task.add_done_callback(partial(self._end_task, call, on_complete))
        return task

    async def _execute_in_task(
        self, call: Call, ends_at: float, on_complete: OnCallComplete, *, force_new: bool
    ) -> None:
        outcome: RawResponse | Exception
        seconds = ends_at - asyncio.get_running_loop().time()
        try:
            outcome = await self._send(call, seconds, force_new=force_new)
        except CALL_FAILURES as error:
            outcome = self.map_error(call, error, seconds)
            outcome.__cause__ = error
        except Exception as error:  # noqa: BLE001 - passed on to `on_complete`
            outcome = error
        try:
            on_complete(outcome, False)
        finally:
            # The traceback of the outcome refers to this frame: a reference to either would
            # create a cycle.
            del outcome, on_complete

    def _end_task(self, call: Call, on_complete: OnCallComplete, task: asyncio.Task[None]) -> None:
        """Complete a call whose task was cancelled, even if the task never ran."""
        self._tasks.discard(task)
        if task.cancelled():
            reason = "the client is closed" if self._is_closed else "the call was cancelled"
            on_complete(UpstreamUnavailable(self._service, call.operation, reason), False)

    # An awaited call.

    async def execute(self, call: Call, into: type[T]) -> T:
        """Make a call and decode its response.

        Raises:
            UpstreamError: there is no response, or it is not a value of type `into`.
            ValueError: the call cannot be serialized.
        """
        seconds = self.limit_seconds(call, remaining())
        try:
            return self.decode_response(call, await self._send(call, seconds), into)
        except CALL_FAILURES as exc:
            raise self.map_error(call, exc, seconds) from exc

    # Shared by `begin` and `execute`.

    async def _send(self, call: Call, seconds: float, *, force_new: bool = False) -> RawResponse:
        """Send the request under the policies of the service, and wait at most `seconds`."""
        if seconds <= 0:
            raise self.no_time_left(call)
        if not self._policies:
            return await self._sender.send(call, seconds, force_new=force_new)
        async with TimeoutAfterPendingIo(seconds):
            with deadline(seconds):
                return await apply_policies(self._policies, call, partial(self._attempt, call))

    async def _attempt(self, call: Call) -> RawResponse:
        """Send the request once; raise an error if the response is cut off or not a success."""
        seconds = self._prepare_attempt(call)
        try:
            response = await self._sender.send(call, seconds)
            if response.error is not None and response.is_success:
                raise _copy(response.error)
        except CALL_FAILURES as exc:
            raise self.map_error(call, exc, seconds) from exc
        if not response.is_success:
            raise self._map_status(call, response)
        return response

    def _prepare_attempt(self, call: Call) -> float:
        """Return the seconds that an attempt may take.

        Raises:
            UpstreamTimeout: no time is left, for example after a pause between attempts.
            UpstreamUnavailable: the client has been closed since the first attempt.
        """
        if self._is_closed:
            raise UpstreamUnavailable(self._service, call.operation, "the client is closed")
        seconds = remaining()
        if not seconds:
            raise self.no_time_left(call)
        return seconds

    # A stream.

    @asynccontextmanager
    async def stream(
        self, call: Call, idle_timeout: float | None
    ) -> AsyncIterator[StreamedResponse]:
        """Open a response whose body is read inside the block.

        The timeout of the call covers the request and the head of the response. Each wait for a
        piece of the body takes at most `idle_timeout` seconds (None: the timeout of the call). A
        deadline around the block covers the whole response.

        Raises:
            UpstreamError: there is no response, its status is not a success, or its body has an
                unknown content coding. A call that sets `Accept-Encoding` gets the body as it is.
            ValueError: the call cannot be serialized.
        """
        left = remaining()
        seconds = self.limit_seconds(call, left)
        idle_timeout = self.limit_seconds(call, None) if idle_timeout is None else idle_timeout
        response = await self._open_stream(call, seconds, idle_timeout)
        try:
            if left is not None:
                response.set_deadline(asyncio.get_running_loop().time() + (remaining() or 0.0))
            yield response
        finally:
            await response.aclose()

    async def _open_stream(
        self, call: Call, seconds: float, idle_timeout: float
    ) -> StreamedResponse:
        if seconds <= 0:
            raise self.no_time_left(call)
        # A policy may fail or be cancelled after an attempt has returned a response, or it may
        # make several attempts and return one of them. All other responses are closed here.
        opened: list[StreamedResponse] = []
        response = None
        try:
            async with TimeoutAfterPendingIo(seconds):
                with deadline(seconds):
                    attempt = partial(self._attempt_stream, call, idle_timeout, opened)
                    response = await apply_policies(self._policies, call, attempt)
        except TimeoutError as exc:
            raise self.map_error(call, exc, seconds) from exc
        finally:
            for unused in opened:
                if unused is not response:
                    await unused.aclose()
        return response

    async def _attempt_stream(
        self, call: Call, idle_timeout: float, opened: list[StreamedResponse]
    ) -> StreamedResponse:
        """Send the request once, and add the response to `opened`."""
        seconds = self._prepare_attempt(call)
        try:
            http_response = await self._sender.open_stream(call, seconds, idle_timeout)
        except CALL_FAILURES as exc:
            raise self.map_error(call, exc, seconds) from exc
        response = StreamedResponse(self._service, call, http_response, idle_timeout)
        opened.append(response)
        if 200 <= response.status < 300:
            if response.is_compressed and not call.chooses_encoding:
                response.decode_content()
            return response
        await response.aclose()
        retry_after = response.headers.get("retry-after", "")
        raise map_status(self._service, call.operation, response.status, retry_after)

    # Shared by all three entry points.

    def limit_seconds(self, call: Call, left: float | None) -> float:
        """Return the seconds that a call may take; `left` is the time to its deadline, or None."""
        seconds = self._timeout if call.timeout is None else call.timeout
        return seconds if left is None or left > seconds else left

    def no_time_left(self, call: Call) -> UpstreamTimeout:
        """Return the error for a call that has no time left."""
        return UpstreamTimeout(self._service, call.operation, "no time was left")

    def decode_response(self, call: Call, response: RawResponse, into: type[T]) -> T:
        """Decode the body of a response.

        Raises:
            UpstreamError: the status is not a success.
            httpx.RequestError, NotDecodable: the body was cut off, or is not a value of type
                `into`; `map_error` maps these errors.
        """
        status, _, body, error, _ = response
        if not 200 <= status < 300:
            raise self._map_status(call, response)
        if len(body) > self._max_body_bytes:
            raise NotDecodable(f"the body is larger than {self._max_body_bytes} bytes")
        if error is not None:
            raise _copy(error)
        return decode(into, response, self._max_body_bytes)

    def map_error(self, call: Call, error: Exception, seconds: float) -> UpstreamError:
        """Map one of `CALL_FAILURES` to an UpstreamError; `seconds` is the timeout of the call."""
        return map_error(self._service, call.operation, error, seconds)

    def _map_status(self, call: Call, response: RawResponse) -> UpstreamError:
        retry_after = response.header(b"retry-after")
        return map_status(self._service, call.operation, response.status, retry_after, response)

    async def aclose(self) -> None:
        """Cancel the tasks that are making calls, and wait until they have ended."""
        self._is_closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _copy(error: Exception) -> Exception:
    """Copy an error without its traceback, which would refer to the response that holds it."""
    copy = type(error)(str(error))
    copy.__cause__ = error.__cause__
    return copy
