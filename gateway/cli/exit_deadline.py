"""Ends the process by force if it has not ended in time after a signal.

Code of a package may keep it from ending: it blocks the event loop, ignores its cancellation, or
runs in a thread, for which the interpreter waits without a bound.
"""

import logging
import os
import sys
import threading
import time
from logging import ERROR

from gateway.telemetry.log import log_event

GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.1

log = logging.getLogger("lockgate")


class ExitDeadline:
    """The time at which the process is ended by force; none until `set` has been called."""

    def __init__(self) -> None:
        self.is_set = False
        self._seconds = 0.0
        self._time = 0.0
        self._set = threading.Event()
        threading.Thread(target=self._enforce, name="exit deadline", daemon=True).start()

    def set(self, seconds: float) -> None:
        """End the process by force in `seconds`. Replaces an earlier deadline.

        A signal handler may call it: it starts no thread and waits for none.
        """
        self.is_set = True
        self._seconds = seconds
        self._time = time.monotonic() + seconds
        self._set.set()

    def _enforce(self) -> None:
        self._set.wait()
        while time.monotonic() < self._time:
            threading.Event().wait(_POLL_SECONDS)
        threads = ", ".join(_list_threads())
        place = _find_line_of_main_thread()
        seconds = self._seconds
        log_event(
            log, "shutdown.forced", ERROR, waiting_for=place, threads=threads, seconds=seconds
        )
        logging.shutdown()  # writes the lines that are queued
        os._exit(1)


def _list_threads() -> list[str]:
    """Return the names of the threads that the interpreter waits for at its end."""
    main = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if not thread.daemon and thread != main]


def _find_line_of_main_thread() -> str:
    """Return the file and the line that the main thread executes."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
