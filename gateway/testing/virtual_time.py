"""An event loop with a virtual clock: tests of timeouts are instant and deterministic."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Advances its clock to the next timer when no callback is ready, instead of waiting.

    Not for tests with sockets: work in another process takes no virtual time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NonBlockingSelector(self))

    def time(self) -> float:
        """Virtual seconds since the loop was created."""
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        """Call `func` at once in this thread: a worker thread would take real time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the future carries any error
            future.set_exception(error)
        return future

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._now += seconds


class _NonBlockingSelector(selectors.DefaultSelector):
    def __init__(self, loop: _VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll without waiting; if no event is ready, advance the clock by `timeout`."""
        events = super().select(0)
        if timeout is None and not events:
            raise RuntimeError("deadlock: no callback is ready and no timer is scheduled")
        if timeout and not events:
            self._loop.advance(timeout)
        return events


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to completion on an event loop with a virtual clock."""
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(main)
