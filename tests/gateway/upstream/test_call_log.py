"""Calls to services in the log, at level debug: the template, the status, the time, the attempt."""

import logging
from typing import Any

import pytest

from gateway.settings.schema import RetrySettings, Service
from gateway.upstream import UpstreamRefused, UpstreamUnavailable
from gateway.upstream.open_client import open_client
from gateway.upstream.propagation import propagate_headers
from tests.gateway.transport.scripted_server import OK, Peer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'


async def answer(peer: Peer) -> None:
    while True:
        request = await peer.read_request()
        for status in (b"404", b"503"):
            if request.startswith(b"GET /%b " % status):
                peer.send(b"HTTP/1.1 %b X\r\nContent-Length: 0\r\n\r\n" % status)
                break
        else:
            peer.send(ITEM)


def list_calls(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    events = [record for record in caplog.records if record.msg == "upstream.completed"]
    return [dict(record.fields) for record in events]  # type: ignore[attr-defined]


async def call_all(url: str) -> None:
    service = Service.model_validate(
        {"url": url, "headers": {"x-key": "hunter2"}, "retry": RetrySettings(attempts=2)}
    )
    async with open_client(ExampleClient, service) as client:
        with propagate_headers({"X-Request-Id": "r1"}):
            await client.get("/items/{sku}", sku="a b", params={"token": "hunter2"}, into=Item)
            with pytest.raises(UpstreamRefused):
                await client.get("/404", into=Item)
            with pytest.raises(UpstreamUnavailable):
                await client.get("/503", into=Item)
            async with client.stream("GET", "/streamed") as response:
                assert b"".join([piece async for piece in response])


async def test_every_attempt_is_logged_at_debug_without_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "lockgate.upstream")
    async with serve_script(answer) as server:
        await call_all(server.url)
    calls = list_calls(caplog)
    assert all(call.pop("ms") >= 0 for call in calls)
    shown = [(call["path"], call["status"], call["attempt"]) for call in calls]
    assert shown == [
        ("/items/{sku}", 200, 1),
        ("/404", 404, 1),
        ("/503", 503, 1),
        ("/503", 503, 2),
        ("/streamed", 200, 1),
    ]
    assert calls[0] | {"id": "r1", "service": ExampleClient.name, "method": "GET"} == calls[0]
    assert "refused" in calls[1]["error"]
    assert "hunter2" not in str(calls)


async def test_nothing_is_added_to_a_client_that_is_opened_at_another_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "lockgate.upstream")
    async with serve_script(answer) as server:
        await call_all(server.url)
    assert list_calls(caplog) == []
