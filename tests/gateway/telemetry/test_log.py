"""Log events: a name, a level and a traceback."""

import json
import logging

import pytest

from gateway.settings.schema import Log
from gateway.telemetry.log import log_event
from gateway.telemetry.log_writer import log_to_stderr

logger = logging.getLogger("lockgate.test")


def test_an_error_adds_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(Log(format="json")):
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            log_event(logger, "request.failed", logging.ERROR, error, id="1")
    line_fields = json.loads(capsys.readouterr().err)
    assert (line_fields["level"], line_fields["id"]) == ("error", "1")
    assert "ZeroDivisionError" in line_fields["exception"]


def test_events_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr(Log(level="warning")):
        log_event(logger, "request.completed")
    assert capsys.readouterr().err == ""
