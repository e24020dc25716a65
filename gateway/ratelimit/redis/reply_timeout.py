"""A timeout for replies that does not count the time in which our own event loop was busy."""

import asyncio
import time
from collections.abc import Callable

from gateway.pending_io import AfterPendingIo

LATE_SECONDS = 0.001


class ReplyTimeout:
    """Calls `on_timeout` when a reply takes longer than `seconds`, unless cancelled before.

    A busy event loop can let the timer fire although Redis replied in time. Two measures keep
    that from counting as a slow Redis; each covers a case that the other does not:

    - The reply has arrived, but has not been read yet: `AfterPendingIo` delivers it first.
    - The reply has not arrived, because the busy loop also sent the check late (uvloop writes at
      the end of a turn). Redis gets the time back: a timer that fires late extends the wait once,
      by as long as it was late, and at most by `seconds`.
    """

    __slots__ = ("_due", "_handle", "_is_extended", "_loop", "_on_timeout", "_seconds")

    def __init__(self, seconds: float, on_timeout: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._on_timeout = on_timeout
        self._is_extended = False
        self._start(seconds)

    def cancel(self) -> None:
        """Do not call `on_timeout`: the reply has arrived."""
        self._handle.cancel()

    def _start(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        self._handle: asyncio.Handle | AfterPendingIo[()] = self._loop.call_later(
            seconds, self._on_timer
        )

    def _on_timer(self) -> None:
        late = time.monotonic() - self._due
        if late > LATE_SECONDS and not self._is_extended:
            self._is_extended = True
            self._start(min(late, self._seconds))
        else:
            self._handle = AfterPendingIo(self._loop, self._on_timeout)
