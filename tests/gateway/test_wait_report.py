"""A wait that takes long is logged, even if it blocks the event loop."""

import threading

import pytest

from gateway import wait_report
from gateway.wait_report import report_wait


async def test_a_wait_that_blocks_the_event_loop_is_logged_until_it_ends(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_report, "REPORT_SECONDS", 0.01)
    pause = threading.Event()
    with report_wait("gateway.starting", "the clients"):
        while len(caplog.records) < 2:
            pause.wait(0.001)
    for thread in threading.enumerate():
        if thread.name == "wait report":
            thread.join()
    reports = [getattr(record, "fields", {}) for record in caplog.records]
    assert reports[0] == {"waiting_for": "the clients", "seconds": 0.01}
    assert reports[1] == {"waiting_for": "the clients", "seconds": 0.02}
    assert {record.msg for record in caplog.records} == {"gateway.starting"}
