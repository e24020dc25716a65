"""The formats of a log line: JSON and text."""

import json
import logging
from datetime import UTC, datetime

import pytest

from gateway.settings.schema import Log
from gateway.telemetry.log import log_event
from gateway.telemetry.log_writer import log_to_stderr

logger = logging.getLogger("lockgate.test")


def test_an_event_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(Log(format="json")):
        log_event(logger, "limit.refused", policy="chat", caller="a\nb")
    (line,) = capsys.readouterr().err.splitlines()
    line_fields = json.loads(line)
    assert line_fields.pop("at").endswith("+00:00")
    assert line_fields == {
        "level": "info",
        "event": "limit.refused",
        "logger": "lockgate.test",
        "policy": "chat",
        "caller": "a\nb",
    }


def test_a_text_line_stays_one_line_whatever_a_field_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log_to_stderr(Log(format="text")):
        log_event(logger, "limit.refused", policy="chat", caller="a\nb c")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r'info    limit.refused policy=chat caller="a\nb c"')
    assert datetime.fromisoformat(line.partition(" ")[0]).tzinfo == UTC


def test_records_of_other_loggers_are_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(Log(format="json")):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logger.exception('%s line_fields "%s"', "it", "no")
    line_fields = json.loads(capsys.readouterr().err)
    assert (line_fields["level"], line_fields["event"]) == ("error", 'it line_fields "no"')
    assert "ZeroDivisionError" in line_fields["exception"]


FORGED = "GET /\r\n12:00:00 error   request.failed \x1b[31m\x85\u2028\x9b\ud800"
ESCAPED = r"GET /\r\n12:00:00 error   request.failed \x1b[31m\x85\u2028\x9b\ud800"


def test_a_message_of_another_logger_stays_one_line_of_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log_to_stderr(Log(format="text")):
        logger.warning("%s caf\xe9", FORGED)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f" warning {ESCAPED} caf\xe9")


def test_the_lines_of_a_traceback_are_escaped_and_indented(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log_to_stderr(Log(format="text")):
        log_event(logger, "request.failed", logging.ERROR, ValueError(f"no such path: {FORGED}"))
    first, *traceback = capsys.readouterr().err.splitlines()
    assert first.endswith("error   request.failed")
    assert traceback == [
        r"    ValueError: no such path: GET /\r",
        r"    12:00:00 error   request.failed \x1b[31m\x85\u2028\x9b\ud800",
    ]
