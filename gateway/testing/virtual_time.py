"""An event loop whose clock jumps: a test of time-outs takes no time and never flakes."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _VirtualTime(asyncio.SelectorEventLoop):
    """When nothing is ready to run, moves its clock to the next timer instead of waiting.

    Only for tests without sockets: what another process does takes no virtual time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run it here and now: a thread would take real time."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits
            done.set_exception(error)
        return done

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self._now += seconds


class _Impatient(selectors.DefaultSelector):
    def __init__(self, loop: _VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; if nothing is, let the awaited time have passed."""
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("nothing is scheduled, so virtual time would stand still for ever")
        if timeout and not ready:
            self._loop.advance(timeout)
        return ready


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop with a virtual clock."""
    with asyncio.Runner(loop_factory=_VirtualTime) as runner:
        return runner.run(work)
