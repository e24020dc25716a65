"""One log line for each request, whatever its outcome."""

import logging
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.middleware.access_log import AccessLog
from gateway.request_context import RequestContext
from gateway.settings.schema import Server


async def receive() -> Message:
    raise AssertionError


async def send(_: Message) -> None:
    raise AssertionError


def create_scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "client": None, "headers": []}


def logged_fields(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = [record for record in caplog.records if record.msg == "request.completed"]
    fields: dict[str, object] = record.fields  # type: ignore[attr-defined]
    return fields


async def test_a_request_leaves_one_log_line(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    response = await http.get(
        "/fine?access_token=hunter2",
        headers={b"Authorization": b"Bearer hunter2", b"User-Agent": b"kiosk/1 \x1b[31m \xe9"},
    )
    fields = logged_fields(caplog)
    assert fields.pop("ms") is not None
    assert fields == {
        "id": response.headers["x-request-id"],
        "method": "GET",
        "path": "/fine",
        "route": "/fine",
        "status": 200,
        "bytes": len(response.content),
        "client": "127.0.0.1",
        "caller": "42",
        "user_agent": r"kiosk/1 \x1b[31m \xe9",
        "server_timing": "profile;dur=12.3, orders;dur=200.0",
    }


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ({"User-Agent": "x" * 5_000}, {"user_agent": "x" * 128}),
        ({"X-Request-Id": "mine"}, {"id": "mine"}),
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, {"trace_id": "a" * 32}),
        ({"traceparent": "nonsense"}, {"trace_id": None}),
    ],
)
async def test_fields_of_the_client_are_bounded(
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    sent: dict[str, str],
    logged: dict[str, str | None],
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    await http.get("/fine", headers=sent)
    fields = logged_fields(caplog)
    assert {name: fields.get(name) for name in logged} == logged


async def test_every_call_can_be_found_by_the_trace_id_in_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    response = await http.get("/fine", headers={"X-Request-Id": "not-hexadecimal"})
    assert response.json()["traceparent"].split("-")[1] == logged_fields(caplog)["trace_id"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (("192.0.2.1", 5), "", "192.0.2.1"),
        (("192.0.2.1", 5), "198.51.100.7", "192.0.2.1"),
        (("10.0.0.1", 5), "198.51.100.7", "198.51.100.7"),
        (("10.0.0.1", 5), "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (("::ffff:192.0.2.1", 5), "", "192.0.2.1"),
        (None, "", ""),
    ],
)
async def test_the_address_of_the_client_is_found_behind_trusted_proxies(
    caplog: pytest.LogCaptureFixture, peer: tuple[str, int] | None, forwarded: str, client: str
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")

    async def respond(scope: Scope, _: Receive, send: Send) -> None:
        RequestContext.of(scope).status = 200

    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    for trusted in ((), (ip_network("10.0.0.0/8"),)):
        app = AccessLog(respond, server=Server(trusted_proxies=trusted))
        scope = {"type": "http", "method": "GET", "path": "/", "client": peer, "headers": headers}
        await app(scope, receive, send)
        expected = client if trusted or not forwarded else str(peer and peer[0])
        assert caplog.records[-1].fields["client"] == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/api/readyz", 200, logging.DEBUG),
        ("/api/readyz", 503, logging.INFO),
        ("/api/readyz/", 200, logging.INFO),
        ("/page", 200, logging.INFO),
    ],
)
async def test_a_probe_is_logged_at_debug_unless_it_fails(
    caplog: pytest.LogCaptureFixture, path: str, status: int, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "lockgate.access")

    async def respond(scope: Scope, _: Receive, send: Send) -> None:
        RequestContext.of(scope).status = status

    app = AccessLog(respond, probe_paths=["/api/healthz", "/api/readyz"])
    await app(create_scope(path), receive, send)
    assert [record.levelno for record in caplog.records] == [level]


async def test_a_path_cannot_control_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")

    async def respond(_: Scope, __: Receive, ___: Send) -> None:
        pass

    path = "/a\x9b31m\u202e\n\x1b"
    await AccessLog(respond)(create_scope(path), receive, send)
    assert logged_fields(caplog)["path"] == r"/a\x9b31m\u202e\n\x1b"


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
    assert [record.msg for record in caplog.records] == ["request.failed", "request.completed"]
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
