"""The signals of `serve` and `demo`: when to stop, and what must not stop the process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from logging import WARNING, getLogger
from types import FrameType

from gateway.cli.exit_deadline import GRACE_SECONDS, ExitDeadline
from gateway.settings.schema import Server
from gateway.telemetry.log import log_event

_STOPPING = (signal.SIGINT, signal.SIGTERM)

_IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that make other servers reload or reopen their logs, and whose default is to kill."""

log = getLogger("lockgate")


class ShutdownSignals:
    """The first SIGINT or SIGTERM that the process gets.

    From the first one on, the process has `exit_seconds` to end.
    """

    def __init__(self, exit_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[signal.Signals] = self._loop.create_future()
        self._exit_seconds = exit_seconds
        self._deadline = ExitDeadline()
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

    def receive(self, number: int, _: FrameType | None) -> None:
        """Note the first signal. The second one kills the process, even as process 1.

        Python calls it in the main thread between two instructions, and in the middle of a call
        such as `time.sleep`: code that blocks the event loop does not keep the second signal off.
        """
        if self._deadline.is_set:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            os._exit(128 + number)  # the kernel keeps process 1 of a container from its own signals
        self._deadline.set(self._exit_seconds)
        self._loop.call_soon_threadsafe(self._begin_stop, signal.Signals(number))

    def end(self) -> None:
        """Note that all is closed: what is left, such as threads, has `GRACE_SECONDS` to end."""
        if self._deadline.is_set:
            self._deadline.set(GRACE_SECONDS)

    def _begin_stop(self, received: signal.Signals) -> None:
        self._first.set_result(received)
        if self._start is not None:
            self._start.reschedule(0)  # a time that has passed


def ignore_reload_signals() -> None:
    """Ignore, from the start of the process, the signals that `handle_signals` reports later."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def handle_signals(settings: Server) -> Iterator[ShutdownSignals]:
    """Handle the signals of the process for the length of the block, in the running event loop."""
    loop = asyncio.get_running_loop()
    # `shutdown_seconds` for the requests in flight, and again for the lifespan.
    stop_seconds = settings.drain_seconds + 2 * settings.shutdown_seconds
    signals = ShutdownSignals(stop_seconds + GRACE_SECONDS)
    before = {number: signal.signal(number, signals.receive) for number in _STOPPING}
    for number in _IGNORED:
        loop.add_signal_handler(number, _report_ignored, number)
    try:
        yield signals
    finally:
        signals.end()
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in _IGNORED:
            loop.remove_signal_handler(number)
        ignore_reload_signals()


def _report_ignored(number: signal.Signals) -> None:
    log_event(log, "signal.ignored", WARNING, signal=number.name)
