"""The parts of one composite on their way: started together, each within its own time."""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from time import perf_counter
from typing import Any

from gateway.aggregation.part import BoundPart
from gateway.aggregation.timeout_groups import TimeoutGroup
from gateway.upstream.deadline import deadline, remaining
from gateway.upstream.errors import UpstreamTimeout
from gateway.upstream.pending import PendingCall

Inputs = Mapping[str, Any]

# An answer that the kernel already holds needs a poll of the loop, and a few rounds to travel
# from the transport to whoever waits. On uvloop timers even run before the poll.
ROUNDS = 8

# To read one holds everybody up; a few small ones do so for no longer than one large one.
SMALL_BYTES = 65_536


class PartExecutor:
    """One run of all parts; nothing of it is left when `run` returns or raises.

    Then `values` holds what has been loaded, `failures` what each other part failed of, and
    `seconds` how long each took.

    A part that is one call takes no task: its request is sent, and its answer awaited with those
    of the others. What others may do without is read when all is there, so that it is used while
    it is still in the processor's cache.
    """

    def __init__(self, parts: Sequence[BoundPart], inputs: Inputs) -> None:
        self._inputs = inputs
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._missing = len(parts)
        self.values: dict[str, Any] = {}
        self.failures: dict[str, Exception] = {}
        self.seconds: dict[str, float] = {}
        self._begun = perf_counter()
        self._calls: dict[PendingCall[Any], BoundPart] = {}
        self._unread: list[tuple[BoundPart, PendingCall[Any]]] = []
        self._tasks: dict[BoundPart, asyncio.Task[None]] = {}
        self._expired: set[BoundPart] = set()
        self._timers: dict[float, asyncio.Handle] = {}
        self._context = copy_context()  # answers land outside of it

    async def run(self, allotments: Sequence[TimeoutGroup]) -> None:
        """Run the parts together, each within the time of its allotment.

        Raises:
            UpstreamError, Exception: what a required part raised; the others are cancelled.
        """
        try:
            now, left = self._loop.time(), remaining()
            for allotment in allotments:
                self._start(allotment, now, left)
            if allotments:
                await self._ended
            for part, call in self._unread:
                self._read(part, call)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            if self._missing:
                await self._stop()
            # The trace of a failure holds this: did this hold it, both would stay for long.
            self._tasks.clear()
            del self._ended

    def _start(self, allotment: TimeoutGroup, now: float, left: float | None) -> None:
        """Start the parts that have the same time; of that of all, so much is `left`."""
        seconds = allotment.seconds
        within = seconds if left is None or left > seconds else left
        unsent = []
        for part in allotment.calls:
            call = self._begin(part, now, within)
            if call is not None:
                unsent.append((part, call))
        if unsent or allotment.coroutines:
            with deadline(seconds, self._loop.time):
                for part in allotment.coroutines:
                    self._await(part, None)
                for part, call in unsent:
                    self._await(part, call)
        if allotment.coroutines:  # which may ignore the deadline
            later = self._loop.call_later(seconds, self._expire, allotment, ROUNDS)
            self._timers[seconds] = later

    def _begin(self, part: BoundPart, now: float, seconds: float) -> PendingCall[Any] | None:
        """Send the request of a part that is one call; what cannot be sent yet comes back."""
        try:
            call: PendingCall[Any] = part.called(self._inputs)  # type: ignore[assignment]
            has_begun = call.begin(now, seconds, self._land)
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._miss(part, error)
            self._end(part)
            return None
        if not has_begun:
            return call
        self._calls[call] = part
        return None

    def _land(self, call: PendingCall[Any]) -> None:
        """The answer to a call is there, or there will be none."""
        part = self._calls.pop(call)
        if call.must_be_awaited:
            self._context.run(self._await_again, part, call)
            return
        if part.required or call.size > SMALL_BYTES:
            self._read(part, call)
        else:
            self._unread.append((part, call))
        self._end(part)

    def _await(self, part: BoundPart, call: PendingCall[Any] | None) -> None:
        """Have a task run a part."""
        self._tasks[part] = self._loop.create_task(self._load(part, call), name=part.name)

    def _await_again(self, part: BoundPart, call: PendingCall[Any]) -> None:
        """Have a task send a request once more, in the time that it has left."""
        with deadline(call.ends_at - self._loop.time(), self._loop.time):
            self._await(part, call)

    def _read(self, part: BoundPart, call: PendingCall[Any]) -> None:
        try:
            self.values[part.name] = call.result()
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._miss(part, error)

    async def _load(self, part: BoundPart, call: PendingCall[Any] | None) -> None:
        """Run one part to its end; only a required part that fails ends the whole."""
        try:
            self.values[part.name] = await (call or part.called(self._inputs))
        except asyncio.CancelledError:
            timeout = self._timeout(part)
            if timeout is None:
                self._fail(asyncio.CancelledError())
                raise
            self._miss(part, timeout)
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._miss(part, error)
        self._end(part)

    def _end(self, part: BoundPart) -> None:
        """One part less to wait for."""
        self.seconds[part.name] = perf_counter() - self._begun
        self._missing -= 1
        if not self._missing and not self._ended.done():
            self._ended.set_result(None)

    def _miss(self, part: BoundPart, failure: Exception) -> None:
        """Go on without a part, or let it fail the whole."""
        if part.required:
            self._fail(failure)
        else:
            self.failures[part.name] = failure

    def _timeout(self, part: BoundPart) -> UpstreamTimeout | None:
        """What a part that was cancelled failed of, if it was by its own time-out alone."""
        if part not in self._expired or self._tasks[part].uncancel():
            return None
        return UpstreamTimeout(part.service, part.name, f"over {part.timeout} s")

    def _fail(self, failure: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(failure)

    def _expire(self, allotment: TimeoutGroup, rounds: int) -> None:
        """Cancel the parts that are out of time, once what has arrived had its chance."""
        if rounds:
            soon = self._loop.call_soon(self._expire, allotment, rounds - 1)
            self._timers[allotment.seconds] = soon
            return
        for part in allotment.coroutines:
            if part.name not in self.seconds:
                self._expired.add(part)
                self._tasks[part].cancel()

    async def _stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        for call in self._calls:
            call.abandon()
        self._calls.clear()
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        # Read, so that asyncio does not report failures that had no more to say.
        for future in (self._ended, *self._tasks.values()):
            future.done() and (future.cancelled() or future.exception())
