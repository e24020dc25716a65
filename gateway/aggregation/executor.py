"""Fan-out: concurrent loading of the parts of a composite, under one budget."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, TypeVar

from gateway.aggregation.degraded import describe_failures
from gateway.aggregation.from_part import PartResult
from gateway.aggregation.model import Composite
from gateway.aggregation.part import BoundPart, TimeoutGroup
from gateway.pending_io import AfterPendingIo
from gateway.request_context import RequestContext
from gateway.upstream.deadline import deadline, remaining
from gateway.upstream.errors import UpstreamTimeout
from gateway.upstream.pending import PendingCall

C = TypeVar("C", bound=Composite)

Inputs = Mapping[str, Any]

SMALL_BODY_BYTES = 65_536
"""Bodies of optional parts up to this size are decoded together at the end."""


async def compose(model: type[C], inputs: Inputs, context: RequestContext) -> C:
    """Load every part of `model` and build it; record timings and missing parts in `context`.

    Raises:
        UpstreamError: a required part could not be loaded; the others are cancelled.
    """
    if model.shared_parts:
        executor: PartExecutor = SharingPartExecutor(model.parts, inputs, model.shared_parts)
    else:
        executor = PartExecutor(model.parts, inputs)
    try:
        await executor.run(model.timeout_groups)
        seconds = executor.seconds
        context.server_timing += [(part.name, seconds[part.name]) for part in model.parts]
        degraded = describe_failures(model.parts, executor.failures, context)
        return model(**executor.values, degraded=degraded)
    finally:
        # Break a reference cycle: the tracebacks of the failures refer to the executor.
        executor.failures.clear()


class PartExecutor:
    """One run of all parts. No call or task is in flight after `run` returns or raises.

    After `run`, `values` holds the loaded values, `failures` the errors of failed optional parts,
    and `seconds` the duration of each part.

    A part runs in one of two ways. A part that is one call (`BoundPart.is_one_call`) needs no
    task: the executor begins the call, and the call runs a callback on completion. A part that is
    a coroutine function runs in a task, with a timer for its group. Invariants for both:

    - every part ends exactly once, in `_end`, which decrements `_unfinished`;
    - `_finished` is done when the last part has ended, or when a required part has failed;
    - `_stop` runs unless all parts have ended, and waits until every task has ended.
    """

    def __init__(self, parts: Sequence[BoundPart], inputs: Inputs) -> None:
        self._inputs = inputs
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._unfinished = len(parts)
        self.values: dict[str, Any] = {}
        self.failures: dict[str, BaseException] = {}
        self.seconds: dict[str, float] = {}
        self._started_at = perf_counter()
        self._calls: dict[PendingCall[Any], BoundPart] = {}
        self._undecoded: list[tuple[BoundPart, PendingCall[Any]]] = []
        self._tasks: dict[BoundPart, asyncio.Task[None]] = {}
        self._timed_out: set[BoundPart] = set()
        self._timers: list[asyncio.TimerHandle | AfterPendingIo[TimeoutGroup]] = []

    def __repr__(self) -> str:
        """Show the numbers of loaded, failed and unfinished parts."""
        return (
            f"<PartExecutor {len(self.values)} loaded, {len(self.failures)} failed, "
            f"{self._unfinished} unfinished>"
        )

    async def run(self, groups: Sequence[TimeoutGroup]) -> None:
        """Run the parts concurrently, each within the timeout of its group.

        Raises:
            UpstreamError, Exception: a required part raised it; the other parts are cancelled.
        """
        try:
            now, left = self._loop.time(), remaining()
            for group in groups:
                self._start(group, now, left)
            if groups:
                await self._finished
            for part, call in self._undecoded:
                self._decode(part, call)
        finally:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            try:
                if self._unfinished:
                    await self._stop()
            finally:
                # Break a reference cycle: the traceback of a failure refers to this executor.
                self._tasks.clear()
                del self._finished

    def _start(self, group: TimeoutGroup, now: float, left: float | None) -> None:
        """Start the parts of a group; `left` is the time left for all parts in seconds, or None."""
        timeout = group.timeout
        seconds = timeout if left is None or left > timeout else left
        for part in group.calls:
            self._begin_call(part, now, seconds)
        if group.coroutines:
            with deadline(timeout, self._loop.time):
                for part in group.coroutines:
                    self._tasks[part] = self._loop.create_task(self._load(part), name=part.name)
            # A coroutine can ignore the deadline, so a timer cancels it.
            self._timers.append(self._loop.call_later(timeout, self._expire, group))

    # Parts that are one call.

    def _begin_call(self, part: BoundPart, now: float, seconds: float) -> None:
        try:
            call: PendingCall[Any] = part.call(self._inputs)  # type: ignore[assignment]
            call.begin(now, seconds, self._complete)
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._fail(part, error)
            self._end(part)
        else:
            self._calls[call] = part

    def _complete(self, call: PendingCall[Any]) -> None:
        """End the part of a call that has a response or has failed.

        A required part, a part that another part waits for, and a large body are decoded
        immediately; the failure of a required part ends the run. Other bodies are decoded together
        at the end, while their objects are still in the processor cache for the code that uses
        them.
        """
        part = self._calls.pop(call)
        if part.decodes_at_once or call.size > SMALL_BODY_BYTES:
            self._decode(part, call)
        else:
            self._undecoded.append((part, call))
        self._end(part)

    def _decode(self, part: BoundPart, call: PendingCall[Any]) -> None:
        try:
            self.values[part.name] = call.result()
        except Exception as error:  # noqa: BLE001 - an optional part may fail in any way
            self._fail(part, error)

    # Parts that are coroutine functions.

    async def _load(self, part: BoundPart) -> None:
        """Run one coroutine part; the failure of a required part ends the run."""
        try:
            self.values[part.name] = await part.call(self._inputs)
        except asyncio.CancelledError:
            timeout = self._build_timeout_error(part)
            if timeout is None:
                self._abort(asyncio.CancelledError())
                raise
            self._fail(part, timeout)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - it may raise anything
            self._fail(part, error)
        self._end(part)

    def _build_timeout_error(self, part: BoundPart) -> UpstreamTimeout | None:
        """Return the error of a cancelled part if only its own timeout cancelled it."""
        if part not in self._timed_out or self._tasks[part].uncancel():
            return None
        return UpstreamTimeout(part.service, part.name, f"over {part.timeout} s")

    def _expire(self, group: TimeoutGroup) -> None:
        self._timers.append(AfterPendingIo(self._loop, self._cancel_overdue, group))

    def _cancel_overdue(self, group: TimeoutGroup) -> None:
        for part in group.coroutines:
            if part.name not in self.seconds:
                self._timed_out.add(part)
                self._tasks[part].cancel()

    # All parts.

    def _end(self, part: BoundPart) -> None:
        self.seconds[part.name] = perf_counter() - self._started_at
        self._unfinished -= 1
        if not self._unfinished and not self._finished.done():
            self._finished.set_result(None)

    def _fail(self, part: BoundPart, failure: BaseException) -> None:
        """Record the failure of an optional part; end the run if the part is required."""
        if part.required:
            self._abort(failure)
        else:
            self.failures[part.name] = failure

    def _abort(self, failure: BaseException) -> None:
        if not self._finished.done():
            self._finished.set_exception(failure)

    async def _stop(self) -> None:
        """Abandon unfinished calls, cancel unfinished tasks, and wait until all have ended."""
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        abandoned = [call.abandon() for call in self._calls]
        running += filter(None, abandoned)
        self._calls.clear()
        try:
            await _wait_until_done(running)
        finally:
            # Retrieve late exceptions: asyncio would otherwise report them as never retrieved.
            for future in (self._finished, *self._tasks.values()):
                future.done() and (future.cancelled() or future.exception())


class SharingPartExecutor(PartExecutor):
    """A run in which parts take the results of other parts (`FromPart`).

    A class of its own, so that the other composites need not look for shared results. A shared
    part runs like any other, once and within its own timeout. Its failure is raised in every part
    that awaits its result.
    """

    def __init__(self, parts: Sequence[BoundPart], inputs: Inputs, shared: Sequence[str]) -> None:
        create_future = asyncio.get_running_loop().create_future
        self._results = {name: PartResult(create_future()) for name in shared}
        super().__init__(parts, {**inputs, **self._results})

    async def run(self, groups: Sequence[TimeoutGroup]) -> None:
        """Run the parts as `PartExecutor.run` does."""
        try:
            await super().run(groups)
        finally:
            for result in self._results.values():
                result.close()

    def _end(self, part: BoundPart) -> None:
        result = self._results.get(part.name)
        if result is not None:
            if part.name in self.values:
                result.set_value(self.values[part.name])
            elif part.name in self.failures:
                result.set_error(self.failures[part.name])
            # Otherwise a required part has failed: the run is ending, and all parts with it.
        super()._end(part)


async def _wait_until_done(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait until all tasks have ended, even during cancellation, as `TaskGroup` does.

    Raises:
        CancelledError: the waiting task was cancelled.
    """
    is_cancelled = False
    while unfinished := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(unfinished)
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError
