"""Connections are accepted within the limits, and accepting survives every failure."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from fastapi import FastAPI

from gateway.middleware.load_shedding import LoadShedding
from gateway.server import accept_loop
from gateway.server.accept_loop import RESERVED_CONNECTIONS, AcceptLoop
from gateway.server.connections import MIN_SILENT_SECONDS, ClientTimeouts, OpenConnections
from gateway.server.lifecycle import RunningServer, open_server
from gateway.server.protocol import HttpProtocol
from gateway.settings.schema import Server
from tests.gateway.server.in_memory import Echo

TIMEOUT_SECONDS = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def build_app(echo: Echo) -> FastAPI:
    app = FastAPI()
    app.mount("/", LoadShedding(echo, max_concurrency=1_000, exempt_paths=["/healthz"]))
    return app


async def wait_until(is_true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not become true")


class Clients:
    """Clients of a running server."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.port = int(server.url.rpartition(":")[2])
        self.open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self, sent: bytes = b"") -> asyncio.StreamReader:
        """Open a connection, send, and wait until the server has accepted it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.open.append((reader, writer))
        writer.write(sent)
        return reader

    async def ask(self, sent: bytes) -> bytes:
        """Send a request on a connection of its own, and return the status line."""
        return await (await self.connect(sent)).readline()

    async def close(self) -> None:
        for _, writer in self.open:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def serve(echo: Echo, host: str = "127.0.0.1", **settings: int) -> AsyncIterator[Clients]:
    async with open_server(build_app(echo), Server(host=host, port=0, **settings)) as server:
        clients = Clients(server)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield clients
            await clients.close()


async def test_at_the_limit_the_longest_silent_connection_gives_way() -> None:
    async with serve(Echo(), max_connections=4) as clients:
        readers = [await clients.connect(GET) for _ in range(4)]
        for reader in readers:
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert await clients.ask(GET) == b"HTTP/1.1 200 OK\r\n"
        assert await readers[0].read(10_000)
        assert await readers[0].read() == b""
        clients.open[1][1].write(GET)
        assert (await readers[1].read(10_000)).endswith(b"ok")
        assert clients.server.connections.count <= 5


async def test_connections_in_use_never_give_way_and_probes_are_served() -> None:
    echo = Echo()
    echo.go.clear()
    async with serve(echo, max_connections=3) as clients:
        held = [await clients.connect(GET) for _ in range(3)]
        await wait_until(lambda: echo.begun == 3)
        assert await clients.ask(GET) == b"HTTP/1.1 503 Service Unavailable\r\n"
        echo.go.set()
        assert [await reader.readline() for reader in held] == [b"HTTP/1.1 200 OK\r\n"] * 3
    async with serve(echo, max_connections=3) as clients:
        echo.go.clear()
        begun = echo.begun
        held = [await clients.connect(GET) for _ in range(3)]
        await wait_until(lambda: echo.begun == begun + 3)
        probes = [await clients.connect(PROBE) for _ in range(RESERVED_CONNECTIONS)]
        await wait_until(lambda: echo.begun == begun + 3 + len(probes))
        waiting = await clients.connect(PROBE)  # in the backlog
        await asyncio.sleep(0.1)
        assert clients.server.connections.count == 3 + RESERVED_CONNECTIONS
        echo.go.set()
        for reader in [*held, *probes, waiting]:
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(("limit", "kept", "left"), [(100, 45, 45), (100, 60, 49), (16, 7, 7)])
async def test_a_burst_of_silent_connections_leaves_half_of_the_connections_to_clients(
    limit: int, kept: int, left: int
) -> None:
    async with serve(Echo(), max_connections=limit) as clients:
        readers = [await clients.connect(GET) for _ in range(kept)]
        for reader in readers:
            await reader.readuntil(b"ok")
        await asyncio.sleep(MIN_SILENT_SECONDS)
        await asyncio.gather(*(clients.connect() for _ in range(3 * limit)))
        await wait_until(lambda: clients.server.connections.count >= limit)
        silent = [reader for reader, _ in clients.open[kept:]]
        await wait_until(lambda: sum(reader.at_eof() for reader in silent) >= limit)
        assert sum(not reader.at_eof() for reader in readers) >= left


async def test_one_new_connection_takes_the_place_of_one() -> None:
    async with serve(Echo(), max_connections=8) as clients:
        readers = [await clients.connect(GET) for _ in range(8)]
        for reader in readers:
            await reader.readuntil(b"ok")
        await asyncio.sleep(MIN_SILENT_SECONDS)
        assert await clients.ask(GET) == b"HTTP/1.1 200 OK\r\n"
        await wait_until(lambda: clients.server.connections.count == 8)
        await asyncio.sleep(0)
        assert [reader.at_eof() for reader in readers] == [True] + [False] * 7


class FailingListener(socket.socket):
    """A listening socket that fails to accept with the next of `errors`."""

    errors: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.EMFILE, "EMFILE: Too many open files"),
        (errno.ENFILE, "ENFILE: Too many open files in system"),
        (errno.ENOMEM, "ENOMEM: Cannot allocate memory"),
        (errno.ECONNABORTED, ""),
        (errno.EPROTO, ""),
        (errno.EINTR, ""),
    ],
)
async def test_a_failure_to_accept_is_logged_rarely_and_accepting_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    monkeypatch.setattr(accept_loop, "PAUSE_SECONDS", 0.001)
    listener = FailingListener()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    listener.errors = [number] * 5
    accepted = asyncio.Event()

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set()
            transport.close()

    connections = OpenConnections(ClientTimeouts(), max_connections=10)
    loop = AcceptLoop(listener, connections, lambda _address, _is_reserved: Accepted())
    loop.start()
    _, writer = await asyncio.open_connection(*listener.getsockname())
    await asyncio.wait_for(accepted.wait(), TIMEOUT_SECONDS)
    loop.stop()
    writer.close()
    assert [record.fields["reason"] for record in caplog.records] == ([name] if name else [])  # type: ignore[attr-defined]


async def test_clients_that_reset_at_once_leave_nothing_behind() -> None:
    echo = Echo()
    async with serve(echo) as clients:
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", clients.port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert await clients.ask(GET) == b"HTTP/1.1 200 OK\r\n"
        await wait_until(lambda: clients.server.connections.count == 1)


async def test_ipv4_clients_of_a_dual_stack_socket_keep_their_address() -> None:
    echo = Echo()
    async with serve(echo, host="::") as clients:
        assert clients.server.url.startswith("http://[::1]:")
        assert await clients.ask(GET) == b"HTTP/1.1 200 OK\r\n"
        assert echo.seen[0][0]["client"][0] == "127.0.0.1"


async def test_an_accepted_connection_sends_without_delay() -> None:
    async with serve(Echo()) as clients:
        await clients.ask(GET)
        (connection,) = clients.server._runner.state.connections
        transport = cast("HttpProtocol", connection)._transport
        own = transport.get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
