"""Writes log lines to standard error from a background thread, off the event loop."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from typing import BinaryIO, TextIO

from gateway.settings.schema import Log
from gateway.telemetry.log import LogEvent
from gateway.telemetry.log_format import JsonFormatter, TextFormatter

MAX_QUEUED_LINES = 10_000
BATCH_SECONDS = 0.05
STOP_SECONDS = 2.0


class LogWriter(logging.Handler):
    """Formats a record at once and queues the line; a thread writes the queued lines in batches.

    A slow or stuck reader of the log costs lines, never a request: while `MAX_QUEUED_LINES` lines
    are queued, further lines are dropped and counted in `dropped`. So are the lines that cannot be
    written, as to a closed pipe or a full disk. The next line that is written is `log.dropped`.
    """

    def __init__(self, out: TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self.dropped = 0
        self._reported = 0
        self._format = formatter.format
        # Without the buffer of `out`: a thread that is stuck in it would hold its lock, and the
        # interpreter would abort at exit.
        buffer: BinaryIO = out.buffer
        self._out: RawIOBase | BinaryIO = getattr(buffer, "raw", buffer)
        self._lines: deque[str] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def close(self) -> None:
        """Write the lines still queued, and end the thread; give up after `STOP_SECONDS`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        super().close()

    def handle(self, record: logging.LogRecord) -> bool:
        """Format a record and queue its line, or drop it if the queue is full.

        Takes no lock, unlike the method that it overrides: any thread may append to a deque.
        """
        if len(self._lines) >= MAX_QUEUED_LINES:
            self.dropped += 1
            return False
        try:
            self._lines.append(self._format(record) + "\n")
        except Exception:  # noqa: BLE001 - an unformattable record must not fail a request
            self.handleError(record)
        return True

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(BATCH_SECONDS)
            self._write_queued()

    def _write_queued(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        unreported = self.dropped - self._reported
        if not lines and not unreported:
            return
        if unreported:
            fields = {"lines": unreported}
            event = LogEvent("lockgate", logging.WARNING, "log.dropped", None, fields)
            lines.insert(0, self._format(event) + "\n")
        try:
            self._write("".join(lines).encode("utf-8", "backslashreplace"))
        except (OSError, ValueError):  # a ValueError if the file has been closed
            self.dropped += len(lines) - bool(unreported)
        else:
            self._reported += unreported

    def _write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            written = self._out.write(left)
            if written is None:  # another process has made the file non-blocking, and it is full
                threading.Event().wait(BATCH_SECONDS)
            left = left[written or 0 :]


@contextmanager
def log_to_stderr(settings: Log) -> Iterator[None]:
    """Send all log records to standard error for the length of the block.

    On leaving, the queued lines are written, unless the reader of the log is stuck.
    """
    writer = LogWriter(
        sys.stderr, JsonFormatter() if settings.format == "json" else TextFormatter()
    )
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs the URL of every call
    root.addHandler(writer)
    writer.start()
    try:
        yield
    finally:
        root.removeHandler(writer)
        writer.close()
