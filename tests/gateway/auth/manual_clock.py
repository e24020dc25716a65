"""A clock that stands still until it is moved."""

import asyncio

from gateway.auth.clock import Clock


class ManualClock(Clock):
    """Both clocks show the same time; sleepers wake when it is moved past their hour."""

    def __init__(self, at: float) -> None:
        self.time = at
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """The time it was set to."""
        return self.time

    def monotonic(self) -> float:
        """The time it was set to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait for the clock to be moved that far."""
        hour: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, hour))
        await hour

    async def advance(self, seconds: float) -> None:
        """Move on, and let those who wake do what they can at once."""
        self.time += seconds
        for due, hour in self._sleepers:
            if due <= self.time and not hour.done():
                hour.set_result(None)
        self._sleepers = [(due, hour) for due, hour in self._sleepers if not hour.done()]
        await run_ready_tasks()


async def run_ready_tasks() -> None:
    """Let everything that can run without waiting for a socket do so."""
    for _ in range(20):
        await asyncio.sleep(0)
