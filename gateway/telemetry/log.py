"""The log: one event a line on standard error, written off the event loop."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue

from config.settings import Log

QUEUE_LENGTH = 10_000

Fact = str | int | float


def event(
    logger: logging.Logger,
    name: str,
    level: int = logging.INFO,
    failure: BaseException | None = None,
    /,
    **facts: Fact,
) -> None:
    """Log one event, a noun and a verb, with its facts: `gateway.started url=http://...`.

    The trace of `failure` is written out with it.
    """
    logger.log(level, name, exc_info=failure, extra={"facts": facts})


@contextmanager
def logging_to_stderr(settings: Log) -> Iterator[None]:
    """Send everything that is logged to standard error, through a bounded queue.

    A reader of standard error that is slow or stuck costs lines, never a request: when the
    queue is full, lines are dropped and the count of them is logged at the end.
    """
    lines: Queue[logging.LogRecord] = Queue(QUEUE_LENGTH)
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Json() if settings.format == "json" else _Text())
    listener = QueueListener(lines, out)
    inlet = _Dropping(lines)
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs the address of every call
    root.addHandler(inlet)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(inlet)
        listener.stop()
        if inlet.dropped:
            print(f"{inlet.dropped} log lines were dropped", file=sys.stderr)  # noqa: T201


class _Dropping(QueueHandler):
    """Drops and counts a record for which the queue has no room."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keep the record as it is: it stays in this process, and is written by one thread."""
        return record


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One readable line."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = " ".join(f"{name}={_bare(fact)}" for name, fact in _facts(record).items())
        line = f"{at} {record.levelname.lower():7} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _facts(record: logging.LogRecord) -> dict[str, Fact]:
    facts: dict[str, Fact] = getattr(record, "facts", {})
    return facts


def _bare(fact: Fact) -> str:
    """A fact without quotes where it needs none; a line break in it stays on the line."""
    text = str(fact)
    return text if text.isprintable() and " " not in text else json.dumps(text)
