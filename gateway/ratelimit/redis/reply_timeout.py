"""A time limit on a peer that does not count the time in which our own loop was busy."""

import asyncio
import time
from collections.abc import Callable

# A reply that the kernel already holds needs a poll of the loop, and a few rounds to travel
# from the transport to whoever waits. On uvloop timers even run before the poll.
ROUNDS = 8
LATE_SECONDS = 0.001


class ReplyTimeout:
    """Calls `expire` when the peer takes longer than `seconds`, unless cancelled before.

    A timer that fires late says that the loop did not look at its sockets meanwhile: the wait
    is then prolonged once, by as much, but never to more than twice. After that, too, a reply
    that has already arrived still wins.
    """

    __slots__ = ("_due", "_expire", "_handle", "_loop", "_prolonged", "_rounds", "_seconds")

    def __init__(self, seconds: float, expire: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._expire = expire
        self._prolonged = False
        self._rounds = ROUNDS
        self._arm(seconds)

    def cancel(self) -> None:
        """The peer answered."""
        self._handle.cancel()

    def _arm(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        self._handle: asyncio.Handle = self._loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        late = time.monotonic() - self._due
        if late > LATE_SECONDS and not self._prolonged:
            self._prolonged = True
            self._arm(min(late, self._seconds))
        else:
            self._poll()

    def _poll(self) -> None:
        if not self._rounds:
            self._expire()
            return
        self._rounds -= 1
        self._handle = self._loop.call_soon(self._poll)
