"""A timer that is put off again and again, and hardly ever rings."""

import asyncio
from collections.abc import Callable
from math import inf


class LazyTimer:
    """Calls `ring` at the moment set last; to set it anew mostly costs no more than to note it.

    A timer of the event loop's for each call would be made, ordered among thousands and taken
    out again, and only to be of no use. This one has a single timer, which when it fires early
    is put off to the moment that counts by then. It cannot be called off: whoever hears it looks
    whether there is anything to wait for.
    """

    __slots__ = ("_at", "_fires_at", "_loop", "_ring", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = self._fires_at = inf

    def set(self, at: float) -> None:
        """Ring `at` that moment on the loop's clock, and not at the one set before."""
        self._at = at
        if at < self._fires_at:
            self._fire_at(at)

    def stop(self) -> None:
        """Never ring again, and hold nothing that holds this."""
        self._at, self._ring = inf, _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = at
        self._timer = self._loop.call_at(at, self._fired)

    def _fired(self) -> None:
        self._timer, self._fires_at = None, inf
        if self._at == inf:
            return
        # uvloop's timers count whole milliseconds, and may be one early.
        if self._at > self._loop.time():
            self._fire_at(self._at)
            return
        self._at = inf
        self._ring()


def _nothing() -> None:
    """What is left to ring."""
