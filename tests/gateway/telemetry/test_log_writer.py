"""The background thread that writes log lines."""

import io
import json
import logging
import sys
import threading
import time

import pytest

from gateway.settings.schema import Log
from gateway.telemetry import log_writer
from gateway.telemetry.log import log_event
from gateway.telemetry.log_writer import log_to_stderr

logger = logging.getLogger("lockgate.test")


def test_many_threads_may_log_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    def log_many(thread: int) -> None:
        for number in range(200):
            log_event(logger, "number.line_fields", thread=thread, number=number)

    with log_to_stderr(Log(format="json")):
        threads = [threading.Thread(target=log_many, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    line_fields = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    for thread_number in range(4):
        numbers = [one["number"] for one in line_fields if one["thread"] == thread_number]
        assert numbers == list(range(200))


class StuckStream(io.StringIO):
    """A stream that blocks every write until the test sets `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(10)
        return super().write(text)


def test_lines_dropped_by_a_stuck_stream_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StuckStream()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(log_writer, "MAX_QUEUED_LINES", 2)
    with log_to_stderr(Log()):
        for _ in range(30):
            log_event(logger, "request.completed")
        stream.go.set()
    *lines, last = stream.getvalue().splitlines()
    assert last == f"{30 - len(lines)} log lines were dropped"
    assert 2 <= len(lines) <= 4


def test_lines_are_written_while_logging_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    ends_at = time.monotonic() + 10
    with log_to_stderr(Log()):
        log_event(logger, "request.completed")
        while not (line_fields := capsys.readouterr().err):
            assert time.monotonic() < ends_at
            time.sleep(0.01)
    assert json.loads(line_fields)["event"] == "request.completed"
