"""What a gateway in front must let pass: large uploads, quiet event streams, and WebSockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.e2e.proxied_gateway import TLS_NAME
from tests.gateway.proxy.websocket.open_tunnel import ACCEPTED, HANDSHAKE, TIMEOUT, RawSide

UPLOAD = 2_000_000  # more than nginx accepts by default
QUIET_SECONDS = 1.5

SHORT_DEFAULTS = "proxy_read_timeout 1s; proxy_send_timeout 1s;"
"""The timeouts that nginx has by default, shortened: a configuration of its own must win."""


@dataclass
class LongExchanges:
    """The service: counts an upload, sends events with a pause between, accepts WebSockets."""

    received: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request of a connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST "):
            while self.received < UPLOAD and (piece := await reader.read(65_536)):
                self.received += len(piece)
                self.arrived.set()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        elif b"upgrade: websocket" not in head.lower():
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            await asyncio.sleep(QUIET_SECONDS)
            writer.write(b"data: 2\n\n")
        else:
            writer.write(ACCEPTED)
            await reader.read(1)
        await writer.drain()
        writer.close()


async def exchange_all(
    service: LongExchanges, port: int, path: bytes, fields: bytes, tls: ssl.SSLContext | None
) -> None:
    """Open a WebSocket, upload, and read a stream through what listens on `port`.

    `fields` are added to each request. `Host` and `Origin` have the port, as those of a browser.
    """
    authority = f"{TLS_NAME}:{port}"
    origin = f"Origin: {'https' if tls else 'http'}://{authority}\r\n\r\n".encode()
    host = f"Host: {authority}\r\n".encode() + fields
    handshake = HANDSHAKE.replace(b"/service/chat", path).replace(b"Host: gateway\r\n", host)
    async with _connect(port, tls) as side:
        side.writer.write(handshake[:-2] + origin)
        assert (await side.read_head()).startswith(b"HTTP/1.1 101 ")
    async with _connect(port, tls) as side:
        length = b"Content-Length: %d\r\n\r\n" % UPLOAD
        side.writer.write(b"POST %b HTTP/1.1\r\n" % path + host + length)
        side.writer.write(b"x" * (UPLOAD // 2))
        await asyncio.wait_for(service.arrived.wait(), TIMEOUT)  # before the rest is sent
        side.writer.write(b"x" * (UPLOAD // 2))
        assert (await side.read_head()).startswith(b"HTTP/1.1 200 ")
        assert service.received == UPLOAD
    async with _connect(port, tls) as side:
        side.writer.write(b"GET %b HTTP/1.1\r\n" % path + host + b"\r\n")
        await asyncio.wait_for(side.reader.readuntil(b"data: 2\n\n"), TIMEOUT)


@asynccontextmanager
async def _connect(port: int, tls: ssl.SSLContext | None) -> AsyncIterator[RawSide]:
    name = TLS_NAME if tls else None
    opened = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    side = RawSide(*opened)
    try:
        yield side
    finally:
        side.writer.transport.abort()
