"""The server stops in its time, whatever its clients and its app are doing."""

import asyncio

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.server import lifecycle
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server
from tests.gateway.server.in_memory import body, start

PATIENCE = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\n"
AT_ONCE = Server(host="127.0.0.1", port=0).model_copy(update={"shutdown_seconds": 0.05})


class Stage:
    """Where an app and its test meet."""

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
            await send(start())
            while True:
                await send(body(b"x" * 100_000, more=True))
                self.begun.set()
        finally:
            self.ended.set()


async def answer_at_the_end(stage: Stage, app: ASGIApp, *, read: bool = True) -> bytes:
    """What a client has of its answer when the server has stopped in the middle of it."""
    served = FastAPI()
    served.mount("/", app)
    async with asyncio.timeout(PATIENCE):
        async with open_server(served, AT_ONCE) as url:
            port = int(url.rsplit(":", 1)[1])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            writer.write(GET)
            await stage.begun.wait()
        try:
            return await reader.read() if read else b""
        finally:
            writer.transport.abort()


async def test_what_has_no_time_left_is_told() -> None:
    stage = Stage()
    assert (await answer_at_the_end(stage, stage.holding)).startswith(FAILED)
    assert stage.ended.is_set()


async def test_who_does_not_read_does_not_hold_up_the_end() -> None:
    stage = Stage()
    await answer_at_the_end(stage, stage.endless, read=False)
    assert stage.ended.is_set()


async def test_what_will_not_be_cancelled_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "CANCELLATION_GRACE_SECONDS", 0.05)
    stage = Stage()
    assert await answer_at_the_end(stage, stage.stubborn) == b""
    assert not stage.ended.is_set()
    stage.go.set()
    await stage.ended.wait()
