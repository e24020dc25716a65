"""The signals of `serve` and `demo`: when to stop, and what must not stop the process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from logging import WARNING, getLogger

from gateway.telemetry.log import log_event

_STOPPING = (signal.SIGINT, signal.SIGTERM)

_IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that make other servers reload or reopen their logs, and whose default is to kill."""

log = getLogger("lockgate")


class ShutdownSignals:
    """The first SIGINT or SIGTERM that the process gets."""

    def __init__(self) -> None:
        self._first: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
        self._start: asyncio.Timeout | None = None

    @asynccontextmanager
    async def interrupt_start(self) -> AsyncIterator[None]:
        """Cancel the block at a signal that comes before `wait`: a start may take any time."""
        start = self._start = asyncio.timeout(None)
        try:
            async with start:
                yield
        except TimeoutError:
            if not start.expired():
                raise
            name = self._first.result().name
            log_event(log, "gateway.stopping", signal=name, drain_seconds=0)

    async def wait(self) -> signal.Signals:
        """Wait for the first signal, and return it."""
        self._start = None
        return await asyncio.shield(self._first)

    def receive(self, number: signal.Signals) -> None:
        """Note the first signal. The second one kills the process, even as process 1."""
        if not self._first.done():
            self._first.set_result(number)
            if self._start is not None:
                self._start.reschedule(0)  # a time that has passed
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # the kernel keeps process 1 of a container from its own signals


def ignore_reload_signals() -> None:
    """Ignore, from the start of the process, the signals that `handle_signals` reports later."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def handle_signals() -> Iterator[ShutdownSignals]:
    """Handle the signals of the process for the length of the block, in the running event loop."""
    loop = asyncio.get_running_loop()
    signals = ShutdownSignals()
    for number in _STOPPING:
        loop.add_signal_handler(number, signals.receive, number)
    for number in _IGNORED:
        loop.add_signal_handler(number, _report_ignored, number)
    try:
        yield signals
    finally:
        for number in (*_STOPPING, *_IGNORED):
            loop.remove_signal_handler(number)
        ignore_reload_signals()


def _report_ignored(number: signal.Signals) -> None:
    log_event(log, "signal.ignored", WARNING, signal=number.name)
