"""One log line for each request, whatever its outcome."""

import logging
from contextlib import suppress

import httpx
import pytest


def logged_fields(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = [record for record in caplog.records if record.message == "request.completed"]
    fields: dict[str, object] = record.fields  # type: ignore[attr-defined]
    return fields


async def test_a_request_leaves_one_log_line(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    response = await http.get("/fine?secret=1", headers={"Authorization": "Bearer abc"})
    fields = logged_fields(caplog)
    assert fields.pop("ms") is not None
    assert fields == {
        "id": response.headers["x-request-id"],
        "method": "GET",
        "path": "/fine",
        "status": 200,
        "bytes": len(response.content),
        "caller": "42",
    }


async def test_a_long_path_is_cut_in_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await http.get("/" + "a" * 50_000)
    assert logged_fields(caplog)["path"] == "/" + "a" * 255


async def test_a_client_that_left_before_the_response_was_complete_is_logged_as_gone(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    await http.get("/left")
    assert logged_fields(caplog)["status"] == 499


async def test_a_failed_request_is_logged_with_the_500_that_was_sent(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    response = await http.get("/broken")
    assert [record.message for record in caplog.records] == ["request.failed", "request.completed"]
    fields = logged_fields(caplog)
    assert (fields["status"], fields["bytes"]) == (500, len(response.content))
    assert fields["id"] == response.headers["x-request-id"]


async def test_a_failure_in_the_middle_of_a_response_is_logged_with_the_status_sent(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    with suppress(RuntimeError):
        await http.get("/half")
    fields = logged_fields(caplog)
    assert (fields["status"], fields["bytes"]) == (200, 4)
