"""Timeouts that deliver data which has already arrived before they take effect.

A busy event loop may run a timer although the data that it waits for is already in the buffer of
the socket: asyncio runs timers right after it has polled the sockets, uvloop even before. A timeout
therefore takes effect a few turns of the loop after its timer has fired.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVarTuple

Ts = TypeVarTuple("Ts")

TURNS = 8
"""One turn polls the sockets; the others carry data from the transport to the waiting task."""


class AfterPendingIo(Generic[*Ts]):
    """Calls `callback(*args)` once all data that has arrived by now has been delivered.

    The object is a handle: `cancel` keeps the callback from being called.
    """

    __slots__ = ("_args", "_callback", "_handle", "_loop", "_turns")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, callback: Callable[[*Ts], object], *args: *Ts
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._args = args
        self._turns = TURNS
        self._handle: asyncio.Handle | None = loop.call_soon(self._turn)

    def cancel(self) -> None:
        """Do not call the callback."""
        if self._handle is not None:
            self._handle.cancel()

    def _turn(self) -> None:
        self._turns -= 1
        if self._turns:
            self._handle = self._loop.call_soon(self._turn)
        else:
            # The handle refers to this object; without it, no reference cycle is left behind.
            self._handle = None
            self._callback(*self._args)


@asynccontextmanager
async def timeout_after_pending_io(seconds: float | None) -> AsyncIterator[None]:
    """Cancel the block after `seconds`, as `asyncio.timeout` does; None sets no timeout.

    Unlike `asyncio.timeout`, it lets a block complete whose data has already arrived.

    Raises:
        TimeoutError: the block has been cancelled.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        if seconds is None:
            yield
            return

        handle: asyncio.Handle | AfterPendingIo[float]

        def wait_for_pending_io() -> None:
            nonlocal handle
            handle = AfterPendingIo(loop, timeout.reschedule, 0.0)  # a time in the past: now

        handle = loop.call_later(seconds, wait_for_pending_io)
        try:
            yield
        finally:
            handle.cancel()
