"""The parts of one composite on their way: started together, each within its own time."""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any

from clients.deadline import deadline, remaining
from clients.errors import UpstreamTimeout
from clients.pending import PendingCall
from gateway.compose.part import BoundPart

Inputs = Mapping[str, Any]

# An answer that the kernel already holds needs a poll of the loop, and a few rounds to travel
# from the transport to whoever waits. On uvloop timers even run before the poll.
ROUNDS = 8

# To read one holds everybody up; a few small ones do so for no longer than one large one.
SMALL_BYTES = 65_536


class Loading:
    """One run of all parts; nothing of it is left when `run` returns or raises.

    Then `values` holds what has been loaded, `failures` what each other part failed of, and
    `seconds` how long each took.

    A part that is one call takes no task: its request is sent, and its answer awaited with those
    of the others. What others may do without is read when all is there, so that it is used while
    it is still in the processor's cache.
    """

    def __init__(self, parts: Sequence[BoundPart], inputs: Inputs) -> None:
        self._parts = parts
        self._inputs = inputs
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._missing = len(parts)
        self.values: dict[str, Any] = {}
        self.failures: dict[str, Exception] = {}
        self.seconds: dict[str, float] = {}
        self._begun = perf_counter()
        self._calls: dict[int, PendingCall[Any]] = {}
        self._landed: list[tuple[BoundPart, PendingCall[Any]]] = []
        self._expired: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timers: dict[float, asyncio.Handle] = {}
        self._context = copy_context()  # answers land outside of it

    async def run(self, clocks: Mapping[float, Sequence[int]]) -> None:
        """Run the parts together; `clocks` has those for each time-out, in seconds.

        Raises:
            UpstreamError, Exception: what a required part raised; the others are cancelled.
        """
        try:
            for seconds, indices in clocks.items():
                self._start(seconds, indices)
            if self._parts:
                await self._ended
            for part, call in self._landed:
                self._read(part, call)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            if self._missing:
                await self._stop()
            # The trace of a failure holds this: did this hold it, both would stay for long.
            self._tasks.clear()
            del self._ended

    def _start(self, seconds: float, indices: Sequence[int]) -> None:
        """Start the parts that have so many seconds, and a clock for those that may ignore them."""
        slow = []
        with deadline(seconds, self._loop.time):
            left = remaining() or 0.0
            for index in indices:
                if self._parts[index].is_one_call:
                    self._begin(index, left)
                else:
                    self._await(index, None)
                    slow.append(index)
        if slow:
            later = self._loop.call_later(seconds, self._expire, seconds, slow, ROUNDS)
            self._timers[seconds] = later

    def _begin(self, index: int, seconds: float) -> None:
        """Send the request of a part that is one call, or have a task wait until that can be."""
        part = self._parts[index]
        try:
            call: PendingCall[Any] = part.called(self._inputs)  # type: ignore[assignment]
            self._calls[index] = call
            has_begun = call.begin(seconds, partial(self._land, index))
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._calls.pop(index, None)
            self._miss(part, error)
            self._end(part)
            return
        if not has_begun:
            self._await(index, self._calls.pop(index))

    def _land(self, index: int) -> None:
        """The answer to a call is there, or there will be none."""
        call, part = self._calls.pop(index), self._parts[index]
        if call.must_be_awaited:
            self._context.run(self._await_again, index, call)
            return
        if part.required or call.size > SMALL_BYTES:
            self._read(part, call)
        else:
            self._landed.append((part, call))
        self._end(part)

    def _await(self, index: int, call: PendingCall[Any] | None) -> None:
        """Have a task run a part."""
        name = self._parts[index].name
        self._tasks[index] = self._loop.create_task(self._load(index, call), name=name)

    def _await_again(self, index: int, call: PendingCall[Any]) -> None:
        """Have a task send a request once more, in the time that its part has left."""
        left = self._parts[index].timeout - (perf_counter() - self._begun)
        with deadline(left, self._loop.time):
            self._await(index, call)

    def _read(self, part: BoundPart, call: PendingCall[Any]) -> None:
        try:
            self.values[part.name] = call.result()
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._miss(part, error)

    async def _load(self, index: int, call: PendingCall[Any] | None) -> None:
        """Run one part to its end; only a required part that fails ends the whole."""
        part = self._parts[index]
        try:
            self.values[part.name] = await (call or part.called(self._inputs))
        except asyncio.CancelledError:
            timeout = self._timeout(index)
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

    def _timeout(self, index: int) -> UpstreamTimeout | None:
        """What a part that was cancelled failed of, if it was by its own clock alone."""
        if index not in self._expired or self._tasks[index].uncancel():
            return None
        part = self._parts[index]
        return UpstreamTimeout(part.service, part.name, f"over {part.timeout} s")

    def _fail(self, failure: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(failure)

    def _expire(self, seconds: float, indices: Sequence[int], rounds: int) -> None:
        """Cancel the parts that are out of time, once what has arrived had its chance."""
        if rounds:
            soon = self._loop.call_soon(self._expire, seconds, indices, rounds - 1)
            self._timers[seconds] = soon
            return
        for index in indices:
            if self._parts[index].name not in self.seconds:
                self._expired.add(index)
                self._tasks[index].cancel()

    async def _stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        for call in self._calls.values():
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
