"""Timers of a connection: a timeout for a future, a wake-up for one task, a deferrable timer."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

import httpx

from gateway.pending_io import AfterPendingIo


def expire(
    future: asyncio.Future[Any], error: type[httpx.TimeoutException], seconds: float
) -> None:
    """Fail a future after `seconds` of waiting; the callback of its timer.

    Data that has already arrived at the socket is delivered first (see `AfterPendingIo`).
    """
    if not future.done():
        AfterPendingIo(future.get_loop(), _set_timeout, future, error, seconds)


def _set_timeout(
    future: asyncio.Future[Any], error: type[httpx.TimeoutException], seconds: float
) -> None:
    if not future.done():
        future.set_exception(error(f"timed out after {seconds:.3g} s"))


class Waiter:
    """Lets one task wait until something happens on a connection.

    Every event calls `notify`; the task that has waited checks whether it was the awaited one.
    """

    __slots__ = ("_future", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Wake the waiting task, if there is one."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, seconds: float | None, error: type[httpx.TimeoutException]) -> None:
        """Wait for the next `notify`; `seconds` None waits without limit.

        Raises:
            httpx.TimeoutException: nothing happened for `seconds`; its class is `error`.
        """
        future = self._future = self._loop.create_future()
        timer = None
        if seconds is not None:
            timer = self._loop.call_later(seconds, expire, future, error, seconds)
        try:
            await future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()
            del future  # the traceback of its error would refer to it, a reference cycle


class LazyTimer:
    """Calls `on_expire` at the time set last; setting it again mostly costs one comparison.

    Nearly every call sets a deadline and nearly none reaches it. A timer of the event loop for
    each call would be created, sorted in among thousands and cancelled again. This class keeps
    one timer; if it fires before the time set last, it is started again. A deadline cannot be
    cancelled: `on_expire` checks whether there still is a call to end.
    """

    __slots__ = ("_at", "_fires_at", "_loop", "_on_expire", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expire: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expire = on_expire
        self._timer: asyncio.TimerHandle | None = None
        self._at = self._fires_at = inf

    def set(self, at: float) -> None:
        """Expire at `at` on the loop's clock, instead of at the time set before."""
        self._at = at
        if at < self._fires_at:
            self._start(at)

    def stop(self) -> None:
        """Never expire again, and drop the reference to the owner."""
        self._at, self._on_expire = inf, _do_nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._fires_at = None, inf
        if self._at == inf:
            return
        # uvloop's timers have a resolution of one millisecond, and may fire that much early.
        if self._at > self._loop.time():
            self._start(self._at)
            return
        self._at = inf
        self._on_expire()


def _do_nothing() -> None:
    """Replace the callback of a stopped timer."""
