"""Log events: a name, a level and a traceback."""

import json
import logging
from io import StringIO

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


def test_the_formatter_of_another_application_shows_the_fields() -> None:
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
    logger.addHandler(handler)
    try:
        log_event(logger, "redis.disconnected", logging.WARNING, reason="refused\nERROR:root:x")
        log_event(logger, "redis.connected", logging.WARNING)
    finally:
        logger.removeHandler(handler)
    assert lines.getvalue().splitlines() == [
        r'WARNING:lockgate.test:redis.disconnected reason="refused\nERROR:root:x"',
        "WARNING:lockgate.test:redis.connected",
    ]
