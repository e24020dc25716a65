"""Logs what a start or a stop of the gateway is waiting for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING, getLogger

from gateway.telemetry.log import log_event

REPORT_SECONDS = 5.0

log = getLogger("lockgate")


@contextmanager
def report_wait(event: str, waiting_for: str) -> Iterator[None]:
    """Log the event every 5 seconds of the block, with what it is waiting for.

    A thread does so, because the code that the block runs may block the event loop.
    """
    ended = threading.Event()
    arguments = (ended, event, waiting_for)
    threading.Thread(target=_report, args=arguments, name="wait report", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _report(ended: threading.Event, event: str, waiting_for: str) -> None:
    seconds = 0.0
    while not ended.wait(REPORT_SECONDS):
        seconds += REPORT_SECONDS
        log_event(log, event, WARNING, waiting_for=waiting_for, seconds=seconds)
