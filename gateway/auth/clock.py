"""Time as tokens and keys see it: one object, so that a test can own it."""

import asyncio
import time


class Clock:
    """The machine's clocks."""

    def now(self) -> float:
        """Seconds since the epoch: what `exp` is compared with."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards: what cool-downs are measured in."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)
