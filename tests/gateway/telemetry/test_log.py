"""The log: one event a line, as JSON or as text, never in the way of a request."""

import json
import logging
from logging.handlers import QueueListener

import pytest

from config.settings import Log
from gateway.telemetry import log as log_module
from gateway.telemetry.log import event, logging_to_stderr

logger = logging.getLogger("lockgate.test")


def test_an_event_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(Log(format="json")):
        event(logger, "limit.refused", policy="chat", caller="a\nb")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said.pop("at").endswith("+00:00")
    assert said == {
        "level": "info",
        "event": "limit.refused",
        "logger": "lockgate.test",
        "policy": "chat",
        "caller": "a\nb",
    }


def test_text_stays_on_its_line_whatever_a_fact_holds(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(Log(format="text")):
        event(logger, "limit.refused", policy="chat", caller="a\nb c")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r'info    limit.refused policy=chat caller="a\nb c"')


def test_a_failure_carries_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(Log(format="json")):
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            event(logger, "request.failed", logging.ERROR, error, id="1")
    said = json.loads(capsys.readouterr().err)
    assert (said["level"], said["id"]) == ("error", "1")
    assert "ZeroDivisionError" in said["exception"]


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(Log(level="warning")):
        event(logger, "request.ended")
    assert capsys.readouterr().err == ""


def test_a_full_queue_costs_lines_and_says_how_many(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "QUEUE_LENGTH", 1)
    monkeypatch.setattr(QueueListener, "start", lambda self: None)
    monkeypatch.setattr(QueueListener, "stop", lambda self: None)
    with logging_to_stderr(Log()):
        for _ in range(3):
            event(logger, "request.ended")
    assert "2 log lines were dropped" in capsys.readouterr().err
