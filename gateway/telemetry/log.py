"""The log: one event a line on standard error, written off the event loop."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.settings.schema import Log
from gateway.telemetry.event import Event, Fact
from gateway.telemetry.log_format import JsonFormat, TextFormat
from gateway.telemetry.log_writer import Writer


def event(
    logger: logging.Logger,
    name: str,
    level: int = logging.INFO,
    failure: BaseException | None = None,
    /,
    **facts: Fact,
) -> None:
    """Log one event, a noun and a verb, with its facts: `gateway.started url=http://...`.

    The trace of `failure` is written out with it. No fact is called `at`, `level`, `event`,
    `logger` or `exception`: a line has these already.
    """
    if logger.isEnabledFor(level):
        logger.handle(Event(logger.name, level, name, failure, facts))


@contextmanager
def logging_to_stderr(settings: Log) -> Iterator[None]:
    """Send everything that is logged to standard error; what was dropped is counted at the end."""
    writer = Writer(sys.stderr)
    writer.setFormatter(JsonFormat() if settings.format == "json" else TextFormat())
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs the address of every call
    root.addHandler(writer)
    writer.start()
    try:
        yield
    finally:
        root.removeHandler(writer)
        writer.stop()
        if writer.dropped:
            print(f"{writer.dropped} log lines were dropped", file=sys.stderr)  # noqa: T201
