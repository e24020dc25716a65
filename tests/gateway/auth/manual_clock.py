"""A clock that a test advances by hand."""

import asyncio

from gateway.auth.clock import Clock


class ManualClock(Clock):
    """Wall clock and monotonic clock show the same time. `advance` wakes sleeping tasks."""

    def __init__(self, at: float) -> None:
        self.time = at
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return the current time."""
        return self.time

    def monotonic(self) -> float:
        """Return the current time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by `seconds`."""
        wake_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append((self.time + seconds, wake_up))
        await wake_up

    async def advance(self, seconds: float) -> None:
        """Advance the clock, and run every task that is ready then."""
        self.time += seconds
        for due, wake_up in self._sleeping:
            if due <= self.time and not wake_up.done():
                wake_up.set_result(None)
        self._sleeping = [item for item in self._sleeping if not item[1].done()]
        await run_ready_tasks()


async def run_ready_tasks() -> None:
    """Run every task that needs no socket until it waits or ends."""
    for _ in range(20):
        await asyncio.sleep(0)
