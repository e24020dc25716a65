"""Time-outs that do not beat data which has already arrived.

When the event loop was busy for longer than a wait, the timer of the wait fires although the
data may already lie in the buffer of the socket: on uvloop timers even run before the poll. A
time-out therefore takes effect a few turns of the loop after its timer has fired.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVarTuple

Ts = TypeVarTuple("Ts")

TURNS = 8
"""One turn polls the sockets; the others carry what arrived from the transport to its waiter."""


class AfterPendingIo(Generic[*Ts]):
    """Call `callback(*args)` once everything that had arrived by now has been delivered.

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
        self._handle = loop.call_soon(self._turn)

    def cancel(self) -> None:
        """Do not call the callback."""
        self._handle.cancel()

    def _turn(self) -> None:
        self._turns -= 1
        if self._turns:
            self._handle = self._loop.call_soon(self._turn)
        else:
            self._callback(*self._args)
