"""The parts of one composite on their way: started together, each on its own clock."""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from clients.deadline import deadline
from clients.errors import UpstreamTimeout
from gateway.compose.part import BoundPart

Inputs = Mapping[str, Any]

# An answer that the kernel already holds needs a poll of the loop, and a few rounds to travel
# from the transport to whoever waits. On uvloop timers even run before the poll.
ROUNDS = 8


class Loading:
    """One run of all parts; nothing of it is left when `run` returns or raises.

    Then `values` holds what has been loaded, `failures` what each other part failed of, and
    `seconds` how long each took.
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
        self._expired: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timers: dict[float, asyncio.Handle] = {}

    async def run(self, clocks: Mapping[float, Sequence[int]]) -> None:
        """Run the parts together; `clocks` has those for each time-out, in seconds.

        Raises:
            UpstreamError, Exception: what a required part raised; the others are cancelled.
        """
        begun = perf_counter()
        try:
            for seconds, indices in clocks.items():
                self._start(seconds, indices, begun)
            if self._missing:
                await self._ended
        finally:
            for timer in self._timers.values():
                timer.cancel()
            if self._missing:
                await self._stop()
            # The trace of a failure holds this: did this hold it, both would stay for long.
            self._tasks.clear()
            del self._ended

    def _start(self, seconds: float, indices: Sequence[int], begun: float) -> None:
        """Start the parts that have so many seconds, and their clock."""
        create_task = self._loop.create_task
        with deadline(seconds, self._loop.time):
            for index in indices:
                name = self._parts[index].name
                self._tasks[index] = create_task(self._load(index, begun), name=name)
        later = self._loop.call_later(seconds, self._expire, seconds, indices, ROUNDS)
        self._timers[seconds] = later

    async def _load(self, index: int, begun: float) -> None:
        """Run one part to its end; only a required part that fails ends the whole."""
        part, inputs = self._parts[index], self._inputs
        try:
            value = await part.fetch(**{name: inputs[name] for name in part.input_names})
            self.values[part.name] = value
        except asyncio.CancelledError:
            timeout = self._timeout(index)
            if timeout is None:
                self._fail(asyncio.CancelledError())
                raise
            self._miss(part, timeout)
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._miss(part, error)
        self.seconds[part.name] = perf_counter() - begun
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
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        # Read, so that asyncio does not report failures that had no more to say.
        for future in (self._ended, *self._tasks.values()):
            future.done() and (future.cancelled() or future.exception())
