"""The background thread that writes log lines."""

import io
import json
import logging
import subprocess
import sys
import threading
import time

import pytest
from typing_extensions import Buffer

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


class StuckFile(io.BytesIO):
    """A file that blocks every write until the test sets `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, content: Buffer) -> int:
        self.go.wait(10)
        return super().write(content)


def test_lines_dropped_by_a_stuck_file_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    file = StuckFile()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(file))
    monkeypatch.setattr(log_writer, "MAX_QUEUED_LINES", 2)
    with log_to_stderr(Log()):
        for _ in range(30):
            log_event(logger, "request.completed")
        file.go.set()
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    dropped = [event["lines"] for event in events if event["event"] == "log.dropped"]
    assert len(events) - len(dropped) + sum(dropped) == 30
    assert 2 <= len(events) - len(dropped) <= 4


class FailingFile(io.BytesIO):
    """A file that fails the first writes as a full disk does, and then takes half of each."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def write(self, content: Buffer) -> int:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        return super().write(memoryview(content)[: max(1, len(memoryview(content)) // 2)])


def test_a_full_disk_costs_the_lines_of_that_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    file = FailingFile(failures=2)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(file))
    with log_to_stderr(Log()):
        log_event(logger, "first.line")
        while file.failures:
            time.sleep(0.001)
        log_event(logger, "second.line")
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["log.dropped", "second.line"]
    assert events[0]["lines"] == 1


def test_a_reader_that_has_left_or_is_stuck_hangs_neither_the_process_nor_its_end() -> None:
    program = (
        "import logging; from gateway.settings.schema import Log;"
        "from gateway.telemetry.log import log_event;"
        "from gateway.telemetry.log_writer import log_to_stderr\n"
        "with log_to_stderr(Log()):\n"
        "    for _ in range(20_000): log_event(logging.getLogger(), 'x' * 100)\n"
    )
    for reader_leaves in (True, False):
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            if reader_leaves:
                process.stderr.close()
            assert process.wait(30) == 0


def test_lines_are_written_while_logging_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    ends_at = time.monotonic() + 10
    with log_to_stderr(Log()):
        log_event(logger, "request.completed")
        while not (line_fields := capsys.readouterr().err):
            assert time.monotonic() < ends_at
            time.sleep(0.01)
    assert json.loads(line_fields)["event"] == "request.completed"
