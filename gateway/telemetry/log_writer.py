"""Writes log lines off the event loop: many at once, and never more than may wait."""

import logging
import threading
from collections import deque
from typing import TextIO

MOST_WAITING = 10_000
BATCH_SECONDS = 0.05


class Writer(logging.Handler):
    """Formats a record at once and hands the line to a thread, which writes what has gathered.

    A reader that is slow or stuck costs lines, never a request: when `MOST_WAITING` lines wait,
    further ones are dropped and counted.
    """

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self.dropped = 0
        self._out = out
        self._lines: deque[str] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record without the library's lock, since any thread may append to a deque."""
        self.emit(record)
        return True

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what still waits, and end."""
        self._stopping.set()
        self._thread.join()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, if there is room for its line."""
        if len(self._lines) >= MOST_WAITING:
            self.dropped += 1
            return
        try:
            self._lines.append(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a line that cannot be written must not fail a request
            self.handleError(record)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(BATCH_SECONDS)
            self._write()

    def _write(self) -> None:
        waiting = len(self._lines)
        if waiting:
            self._out.write("".join(self._lines.popleft() for _ in range(waiting)))
            self._out.flush()
