"""A gateway on a real socket with a WebSocket route, and a service behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway.app import Gateway, build_app
from gateway.app_loader import Application
from gateway.open_clients import OpenServices
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.stream_limit import StreamLimit
from gateway.server.lifecycle import RunningServer, open_server
from gateway.server.protocol import HttpProtocol
from gateway.settings.schema import Issuer, Server, Service, Settings, StorageSettings
from gateway.transport.pool import Pool
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl

TIMEOUT = 10
PROXY = Proxy(
    "/service/{path:path}", to="service", public="a test", identity="none", websocket=True
)
HANDSHAKE = (
    b"GET /service/chat HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

Handler = Callable[[ServerConnection], Awaitable[None]]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ServedTunnels:
    """A running gateway whose route `/service/` leads to the service."""

    app: Gateway
    server: RunningServer
    port: int
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def connect(self, path: str = "/service/chat", **options: Any) -> connect:
        """Return a client that is to connect through the gateway."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **options)

    async def open_raw(self, handshake: bytes = HANDSHAKE) -> "RawSide":
        """Send a handshake as it is, over a new connection."""
        side = RawSide(*await asyncio.open_connection("127.0.0.1", self.port))
        self.writers.append(side.writer)
        side.writer.write(handshake)
        return side

    @property
    def connection(self) -> HttpProtocol:
        """The only connection of a caller."""
        [connection] = self.server._runner.state.connections
        return cast("HttpProtocol", connection)

    def shutdown(self) -> None:
        """Tell all tunnels that the server stops."""
        self.server._notice.give()

    @property
    def streams(self) -> StreamLimit:
        """The limit of streams."""
        limit: StreamLimit = self.app.state.resources[StreamLimit]
        return limit

    @property
    def pool(self) -> Pool:
        """The connections to the service."""
        opened = self.app.state.resources[OpenServices]["service"]
        assert isinstance(opened.transport, Transport)
        return opened.transport.pool(BaseUrl.of(str(opened.service.url)).origin)

    async def wait_for_end(self) -> None:
        """Wait until the gateway has no stream, no connection and no request any more."""
        async with asyncio.timeout(TIMEOUT):
            while self.streams.count or self.server.connections.count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@dataclass
class RawSide:
    """One end of a connection, which sends and receives bytes as they are."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_head(self) -> bytes:
        """Read the head of a message."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT)

    async def read(self, size: int) -> bytes:
        """Read so many bytes."""
        return await asyncio.wait_for(self.reader.readexactly(size), TIMEOUT)

    async def read_to_the_end(self) -> bytes:
        """Read until the other side ends the connection, by its end or by a reset."""
        received = bytearray()
        try:
            while piece := await asyncio.wait_for(self.reader.read(65_536), TIMEOUT):
                received += piece
        except ConnectionError:
            pass
        return bytes(received)


@asynccontextmanager
async def serve_tunnels(
    port: int,
    *,
    scheme: str = "http",
    proxies: Sequence[Proxy] = (),
    server: dict[str, Any] | None = None,
    service: dict[str, Any] | None = None,
    issuers: Sequence[Issuer] = (),
    database_url: str | None = None,
    **changes: Any,
) -> AsyncIterator[ServedTunnels]:
    """Serve PROXY with `changes`, or `proxies`; the service listens on `port`."""
    settings = Settings(
        issuers=list(issuers),
        database_url=database_url,
        storage=StorageSettings(poll_seconds=0.05),
        upstreams={
            "service": Service(**{"url": f"{scheme}://127.0.0.1:{port}", **(service or {})})
        },
        server=Server(**{"host": "127.0.0.1", "port": 0, **(server or {})}),
    )
    app = build_app(settings, Application(proxies=proxies or (replace(PROXY, **changes),)))
    async with open_server(app, settings.server) as running:
        served = ServedTunnels(app, running, int(running.url.rpartition(":")[2]))
        try:
            yield served
        finally:
            for writer in served.writers:
                writer.transport.abort()


@asynccontextmanager
async def open_tunnels(
    handler: Handler, *, options: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[ServedTunnels]:
    """Serve a service that the `websockets` library runs, with these options of its own.

    With the option `ssl`, the gateway reaches it by https://.
    """
    async with serve(handler, "127.0.0.1", 0, **(options or {})) as upstream:
        port = next(iter(upstream.sockets)).getsockname()[1]
        scheme = "https" if options and "ssl" in options else "http"
        async with serve_tunnels(port, scheme=scheme, **changes) as served:
            yield served


@asynccontextmanager
async def open_raw_tunnels(script: Script, **changes: Any) -> AsyncIterator[ServedTunnels]:
    """Serve a service that sends and receives bytes as they are."""
    upstream = await asyncio.start_server(script, "127.0.0.1", 0)
    try:
        async with serve_tunnels(upstream.sockets[0].getsockname()[1], **changes) as served:
            yield served
    finally:
        upstream.close()


@asynccontextmanager
async def open_raw_pair(
    caller_sends: bytes = b"", service_sends: bytes = b"", **changes: object
) -> AsyncIterator[tuple[ServedTunnels, RawSide, RawSide]]:
    """Open a tunnel between two raw sides; the bytes follow their handshakes at once."""
    opened: asyncio.Future[RawSide] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /chat HTTP/1.1\r\n")
        writer.write(ACCEPTED + service_sends)
        opened.set_result(RawSide(reader, writer))
        await ended.wait()
        writer.close()

    async with open_raw_tunnels(script, **changes) as served:
        caller = await served.open_raw(HANDSHAKE + caller_sends)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 101 ")
        try:
            yield served, caller, await asyncio.wait_for(opened, TIMEOUT)
        finally:
            ended.set()


async def echo(connection: ServerConnection) -> None:
    """Send each message back."""
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)
