"""Callers and a service that hold streams open, in the process of a test or in one to be killed.

As a program, `service` prints its port, and `callers PORT KIND COUNT` a line once the streams are
open. Both wait until they are killed.
"""

import asyncio
import sys
import time
from contextlib import suppress

from tests.gateway.proxy.websocket.open_tunnel import ACCEPTED, HANDSHAKE

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
REQUESTS = {
    "events": b"GET /service/events HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "download": b"GET /service/download HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "upload": b"POST /service/upload HTTP/1.1\r\nHost: gateway\r\nContent-Length: 900000\r\n\r\nx",
    "websocket": HANDSHAKE,
}
RESPONSES = {
    b"/events": OK + b"Content-Type: text/event-stream\r\n" + CHUNKED,
    b"/download": OK + b"Content-Length: 1000000000\r\n\r\n",
    b"/upload": OK + CHUNKED,
    b"/chat": ACCEPTED,
}
BLOCK = bytes(65_536)


class HeldStreams:
    """One side of many streams: `open` counts them, and `ended_at` has the times of their ends."""

    def __init__(self) -> None:
        self.open = 0
        self.ended_at: list[float] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def wait_for_end(self, reader: asyncio.StreamReader) -> None:
        """Read until the gateway ends the connection, and note the time."""
        self.open += 1
        with suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        self.open -= 1
        self.ended_at.append(time.monotonic())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond as the path says; send without end if it is a download."""
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1]
        writer.write(RESPONSES[path])
        sending = asyncio.create_task(send_without_end(writer)) if path == b"/download" else None
        await self.wait_for_end(reader)
        if sending is not None:
            sending.cancel()
        writer.close()

    async def call(self, port: int, kind: str, *, reads: bool = True) -> None:
        """Open a stream through the gateway; return once its first bytes have arrived.

        With `reads`, a task reads on, so that its end is noticed.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUESTS[kind])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")), head
        if kind != "websocket":
            await reader.read(1)
        self.tasks.add(asyncio.create_task(self.hold(reader, writer, reads=reads)))

    async def hold(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, reads: bool
    ) -> None:
        """Keep a connection, and read from it or not."""
        if not reads:
            await asyncio.Event().wait()
        await self.wait_for_end(reader)
        writer.close()


async def send_without_end(writer: asyncio.StreamWriter) -> None:
    """Send as fast as the connection takes it."""
    with suppress(ConnectionError):
        while True:
            writer.write(BLOCK)
            await writer.drain()


async def run_service() -> None:
    """Serve on a free port."""
    server = await asyncio.start_server(HeldStreams().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def run_callers(port: int, kind: str, count: int) -> None:
    """Hold streams, and do not read on."""
    streams = HeldStreams()
    for _ in range(count):
        await streams.call(port, kind, reads=False)
    print("open", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "service":
        asyncio.run(run_service())
    else:
        asyncio.run(run_callers(int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
