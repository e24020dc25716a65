"""A connection that leaves HTTP for a WebSocket: which handshakes, what arrives when, its end."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from starlette.types import Receive, Scope, Send

from gateway.request_context import RequestContext
from gateway.server.upgrade import UPGRADE, Upgrade
from tests.gateway.server.in_memory import (
    GET,
    POST,
    Client,
    Echo,
    body,
    build_request,
    settle,
    start,
)

HANDSHAKE_FIELDS = b"Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
HANDSHAKE = build_request(b"/", HANDSHAKE_FIELDS)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\na: b\r\n\r\n"
)


@dataclass
class Shouting(asyncio.Protocol):
    """Sends back in upper case; records what it is told."""

    events: list[str] = field(default_factory=list)
    received: bytes = b""
    stays_open: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.transport.write(data.upper())

    def pause_writing(self) -> None:
        self.events.append("paused")

    def resume_writing(self) -> None:
        self.events.append("resumed")

    def eof_received(self) -> bool:
        return self.stays_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.ended.set()


@dataclass
class UpgradingApp:
    """Accepts handshakes once `go` is set, and serves everything else as `Echo` does."""

    protocols: list[Shouting] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    completed: int = 0
    context: RequestContext | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upgrade: Upgrade | None = scope["extensions"].get(UPGRADE)
        if upgrade is None:
            await Echo()(scope, receive, send)
            return
        self.context = RequestContext.of(scope)
        await self.go.wait()
        protocol = Shouting()
        self.protocols.append(protocol)
        upgrade.prepare(protocol)
        await send({**start(101, (b"a", b"b"), (b"Content-Length", b"7"))})
        await protocol.ended.wait()
        self.completed += 1
        if protocol.events[-1] != "lost":
            await send(body())


def open_upgraded() -> tuple[UpgradingApp, Client]:
    app = UpgradingApp()
    app.go.set()
    return app, Client(app)


async def test_after_the_101_bytes_go_to_the_protocol_and_none_before() -> None:
    app = UpgradingApp()
    client = Client(app)
    assert await client.send(HANDSHAKE + b"early ", b"bytes ") == b""
    assert app.protocols == []
    app.go.set()
    assert bytes(client.received) == b""
    await settle()
    assert (
        await client.send(b"late") == SWITCHED.replace(b"date: now\r\n", b"") + b"EARLY BYTES LATE"
    )
    [protocol] = app.protocols
    assert protocol.events == ["made"]
    await client.disconnect()
    assert protocol.events == ["made", "lost"]
    assert app.completed == 1
    assert not client.server.tasks
    assert client.connections.count == 0


async def test_a_handshake_waits_for_the_responses_before_it() -> None:
    _, client = open_upgraded()
    long_head = b"Host: x\r\n" + b"A: %b\r\n" % (b"a" * 3_000)
    sent = build_request(b"/", long_head) * 2 + HANDSHAKE + b"early"
    response = await client.send(sent)
    first, second, rest = response.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200")
    assert second.startswith(b"200")
    assert rest.startswith(b"101")
    assert rest.endswith(b"\r\n\r\nEARLY")
    await client.disconnect()


async def test_what_arrives_before_the_101_is_bounded() -> None:
    app = UpgradingApp()
    client = Client(app)
    await client.send(HANDSHAKE, *[b"x" * 60_000] * 2)
    assert not client.is_being_read
    app.go.set()
    await settle()
    assert client.is_being_read
    assert len(app.protocols[0].received) == 120_000
    await client.disconnect()


async def test_a_protocol_that_pauses_at_what_arrived_early_stays_paused() -> None:
    class Pausing(Shouting):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            upgrades[0].pause_reading()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        upgrades.append(scope["extensions"][UPGRADE])
        await go.wait()
        upgrades[0].prepare(protocol)
        await send(start(101))
        await protocol.ended.wait()

    go, protocol, upgrades = asyncio.Event(), Pausing(), list[Upgrade]()
    client = Client(app)
    await client.send(HANDSHAKE, *[b"x" * 60_000] * 2)
    go.set()
    await settle()
    assert len(protocol.received) == 120_000
    assert not client.is_being_read
    upgrades[0].resume_reading()
    assert client.is_being_read
    await client.disconnect()


@pytest.mark.parametrize("status", [200, 401, 426, 503])
async def test_a_refused_handshake_is_the_last_request_of_its_connection(status: int) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(status, (b"content-length", b"2")))
        await send(body(b"no"))

    client = Client(app)
    response = await client.send(HANDSHAKE + GET, GET)
    assert response.startswith(b"HTTP/1.1 %d" % status)
    assert response.count(b"HTTP/1.1 ") == 1
    assert b"connection: close\r\n" in response
    assert client.is_closed
    await client.disconnect()


@pytest.mark.parametrize(
    "request_text",
    [
        HANDSHAKE.replace(b"GET", b"HEAD"),
        HANDSHAKE.replace(b"GET", b"POST"),
        HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HANDSHAKE.replace(b"Upgrade: WebSocket", b"Upgrade: h2c"),
        HANDSHAKE.replace(b"Upgrade: WebSocket", b"Upgrade: websocket/13"),
        HANDSHAKE.replace(b"Upgrade: WebSocket", b"Upgrade: websockets"),
        HANDSHAKE.replace(b"keep-alive, Upgrade", b"keep-alive"),
        build_request(
            b"/", HANDSHAKE_FIELDS.replace(b"WebSocket", b"websocket/13") + b"Content-Length: 4\r\n"
        ).replace(b"GET", b"POST")
        + b"four",
        build_request(b"/", HANDSHAKE_FIELDS + b"Transfer-Encoding: chunked\r\n").replace(
            b"GET", b"POST"
        )
        + b"4\r\nfour\r\n0\r\n\r\n",
        build_request(b"/", HANDSHAKE_FIELDS + b"Content-Length: 0\r\n"),
        build_request(b"/", HANDSHAKE_FIELDS + b"Content-Length: 4\r\n") + b"four",
        build_request(b"/", HANDSHAKE_FIELDS + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    ],
)
async def test_any_other_upgrade_is_ignored(request_text: bytes) -> None:
    app, client = open_upgraded()
    response = await client.send(request_text)
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    if b"HTTP/1.0" not in request_text:
        assert (await client.send(GET)).count(b"HTTP/1.1 200 OK") == 2
    assert app.protocols == []
    await client.disconnect()


async def test_a_101_without_a_prepared_upgrade_is_a_500() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(101))

    for request_text in (GET, POST + b"\r\n", HANDSHAKE):
        client = Client(app)
        assert (await client.send(request_text)).startswith(b"HTTP/1.1 500 ")
        await client.disconnect()


async def test_a_client_that_leaves_before_the_101_cancels_the_app() -> None:
    app = UpgradingApp()
    client = Client(app)
    await client.send(HANDSHAKE)
    await client.disconnect()
    assert app.completed == 0
    assert app.context is not None
    assert app.context.log_fields["status"] == 499
    assert not client.server.tasks


async def test_the_app_ends_the_connection_with_the_response() -> None:
    app, client = open_upgraded()
    await client.send(HANDSHAKE, b"x")
    assert not client.is_closed
    app.protocols[0].ended.set()
    await settle()
    assert client.is_closed
    assert client.received.endswith(b"\r\n\r\nX")
    assert app.protocols[0].events == ["made"]
    assert not client.server.tasks


async def test_a_client_that_reads_slowly_pauses_the_protocol_and_is_reset_at_last() -> None:
    app, client = open_upgraded()
    await client.send(HANDSHAKE)
    client.reads_response = False
    await client.send(b"x" * 70_000)
    assert app.protocols[0].events == ["made", "paused"]
    assert len(client.connections.readers) == 1
    await client.read_all()
    assert app.protocols[0].events == ["made", "paused", "resumed"]
    client.reads_response = False
    await client.send(b"x" * 70_000)
    client.connections.expire(asyncio.get_running_loop().time() + 31)
    await settle()
    assert client.is_closed
    assert app.protocols[0].events[-1] == "lost"


async def test_an_upgraded_connection_outlives_a_shutdown_until_its_app_ends() -> None:
    app, client = open_upgraded()
    await client.send(HANDSHAKE)
    client.protocol.shutdown()
    await settle()
    assert not client.is_closed
    app.protocols[0].ended.set()
    await settle()
    assert client.is_closed


@pytest.mark.parametrize("stays_open", [True, False])
async def test_the_protocol_decides_what_the_end_of_the_stream_means(*, stays_open: bool) -> None:
    app, client = open_upgraded()
    await client.send(HANDSHAKE)
    app.protocols[0].stays_open = stays_open
    assert bool(client.protocol.eof_received()) is stays_open
    assert client.is_closed is not stays_open
    await client.disconnect()


async def test_an_upgraded_connection_is_in_flight_for_the_limits() -> None:
    _, client = open_upgraded()
    await client.send(HANDSHAKE)
    connections = client.connections
    assert connections.count == 1
    assert [len(queue) for queue in (connections.new, connections.idle, connections.heads)] == [
        0
    ] * 3
    connections.expire(asyncio.get_running_loop().time() + 1_000)
    await settle()
    assert not client.is_closed
    client.protocol.cancel_request()
    assert not client.is_closed
    client.protocol.abort()
    await settle()
    assert client.is_closed
    assert not client.server.tasks
