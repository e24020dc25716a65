"""Wakes the one task that waits for something to happen on a connection."""

import asyncio

import httpx

from gateway.transport.timeouts import expire


class Waiter:
    """Rung whenever something happens; who hears it looks if it is what they waited for."""

    __slots__ = ("_loop", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits, if anybody does."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def heard(self, seconds: float | None, error: type[httpx.TimeoutException]) -> None:
        """Wait until it rings.

        Raises:
            httpx.TimeoutException: an `error`, if it does not in so many seconds.
        """
        waiter = self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, expire, waiter, error)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            del waiter  # the trace of its error would hold it
