"""Timeouts that deliver data which has already arrived before they take effect.

A busy event loop may run a timer although the data that it waits for is already in the buffer of
the socket: asyncio runs timers right after it has polled the sockets, uvloop even before. A timeout
therefore takes effect a few turns of the loop after its timer has fired.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVarTuple

Ts = TypeVarTuple("Ts")

TURNS = 16
"""One turn polls the sockets; the others carry data from the transport to the waiting task.

The longest way is that of a new connection: from the socket through TLS, the attempt with one of
several addresses and the race between them to the call.
"""


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


class TimeoutAfterPendingIo:
    """Cancels the block after `seconds`, as `asyncio.timeout` does; None sets no timeout.

    Unlike `asyncio.timeout`, it lets a block complete whose data has already arrived.

    Raises:
        TimeoutError: the block has been cancelled.
    """

    # A generator with `asynccontextmanager` would leave a reference cycle on Python 3.13 when the
    # timeout takes effect, and with it the call and all that belongs to it.

    __slots__ = ("_handle", "_seconds", "_timeout")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._handle: asyncio.Handle | AfterPendingIo[float] | None = None

    async def __aenter__(self) -> None:
        """Start the timer."""
        self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        if self._seconds is not None:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(self._seconds, self._wait_for_pending_io, loop)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the timer; raise TimeoutError if it cancelled the block."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        await self._timeout.__aexit__(kind, error, trace)

    def _wait_for_pending_io(self, loop: asyncio.AbstractEventLoop) -> None:
        # The time 0 is in the past: the block is cancelled at once.
        self._handle = AfterPendingIo(loop, self._timeout.reschedule, 0.0)
