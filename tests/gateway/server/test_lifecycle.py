"""The server stops in time, whatever its clients and its app are doing."""

import asyncio
import json
from logging import INFO

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.middleware.access_log import AccessLog
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.server import lifecycle
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server
from tests.gateway.server.in_memory import Echo, send_without_end

TIMEOUT_SECONDS = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\n"
AT_ONCE = Server(host="127.0.0.1", port=0).model_copy(update={"shutdown_seconds": 0.05})


class Stage:
    """Events that an app and its test share."""

    def __init__(self) -> None:
        self.begun, self.go, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def holding(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        self.begun.set()
        try:
            await self.go.wait()
        finally:
            self.ended.set()

    async def stubborn(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        self.begun.set()
        while not self.go.is_set():
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                continue
        self.ended.set()

    async def endless(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            await send_without_end(send, self.begun)
        finally:
            self.ended.set()


async def answer_at_the_end(stage: Stage, app: ASGIApp, *, read: bool = True) -> bytes:
    """Return what a client has received when the server stops in the middle of its request."""
    served = FastAPI()
    served.mount("/", app)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async with open_server(served, AT_ONCE) as server:
            port = int(server.url.rsplit(":", 1)[1])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            writer.write(GET)
            await stage.begun.wait()
        try:
            return await reader.read() if read else b""
        finally:
            writer.transport.abort()


async def test_a_request_that_takes_too_long_at_shutdown_gets_a_503_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    caplog.set_level(INFO)
    app = AccessLog(RequestContextMiddleware(stage.holding))
    head, _, content = (await answer_at_the_end(stage, app)).partition(b"\r\n\r\n")
    assert head.startswith(UNAVAILABLE)
    assert b"\r\nretry-after: 1" in head
    assert stage.ended.is_set()
    events = {record.msg: getattr(record, "fields", {}) for record in caplog.records}
    assert events.keys() == {"server.requests_cancelled", "request.completed"}
    assert events["server.requests_cancelled"] == {"count": 1, "shutdown_seconds": 0.05}
    assert events["request.completed"]["status"] == 503
    assert events["request.completed"]["id"] == json.loads(content)["instance"]


async def test_a_client_that_does_not_read_does_not_delay_shutdown() -> None:
    stage = Stage()
    await answer_at_the_end(stage, stage.endless, read=False)
    assert stage.ended.is_set()


async def test_a_task_that_ignores_cancellation_does_not_delay_shutdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "CANCELLATION_GRACE_SECONDS", 0.05)
    stage = Stage()
    assert (await answer_at_the_end(stage, stage.stubborn)).startswith(UNAVAILABLE)
    assert not stage.ended.is_set()
    stage.go.set()
    await stage.ended.wait()


async def test_while_it_drains_new_and_kept_connections_are_served_once() -> None:
    app = FastAPI()
    app.mount("/", Echo())
    async with asyncio.timeout(TIMEOUT_SECONDS), open_server(app, AT_ONCE) as server:
        port = int(server.url.rsplit(":", 1)[1])
        kept = await asyncio.open_connection("127.0.0.1", port)
        kept[1].write(GET)
        assert b"connection" not in await kept[0].readuntil(b"ok")
        await server.drain(0)
        new = await asyncio.open_connection("127.0.0.1", port)
        for reader, writer in (kept, new):
            writer.write(GET)
            response = await reader.read()
            assert response.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nconnection: close\r\n" in response
            writer.close()


async def test_a_server_can_be_restarted_on_its_port_while_clients_are_connected() -> None:
    app = FastAPI()
    app.mount("/", Echo())
    settings = AT_ONCE
    for _ in range(3):
        async with open_server(app, settings) as server:
            port = int(server.url.rsplit(":", 1)[1])
            settings = settings.model_copy(update={"port": port})
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
