"""A server that does byte for byte what a test tells it to."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request: its head, and a body with a Content-Length or in chunks."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        if fields.get(b"transfer-encoding") == b"chunked":
            return head + await self.reader.readuntil(b"0\r\n\r\n")
        return head + await self.reader.readexactly(int(fields.get(b"content-length", 0)))

    def send(self, piece: bytes) -> None:
        """Write, all at once."""
        self.writer.write(piece)

    async def drip(self, pieces: list[bytes]) -> None:
        """Write each piece once the one before has left."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """Break the connection off with an RST."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Script = Callable[[Peer], Awaitable[None]]


class Scripted:
    """What the server saw."""

    def __init__(self, script: Script, scheme: str) -> None:
        self._script = script
        self._scheme = scheme
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.url = ""

    def listening(self, server: asyncio.Server) -> None:
        """Take the address from the socket."""
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"{self._scheme}://{host}:{port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the script to one connection, then close it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(Peer(reader, writer))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client has left, or the test has ended: most scripts end so
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def over(self) -> None:
        """Wait until every script has ended and this side could see it."""
        await asyncio.gather(*self._tasks)
        for _ in range(5):
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """End the scripts that still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def scripted(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """A server on a port of its own that plays `script` to every connection."""
    state = Scripted(script, "https" if tls else "http")
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=tls, limit=2**24)
    state.listening(server)
    try:
        yield state
    finally:
        server.close()
        await state.stop()
        await server.wait_closed()


def answering(*answers: bytes) -> Script:
    """A script: one request, one answer, as many times as there are answers, then wait."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            peer.send(answer)
        await peer.gone()

    return script


def closing(answer: bytes) -> Script:
    """A script: one request, one answer, and the end of the connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(answer)

    return script


class Recording:
    """A server that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            peer.send(HELLO)


class Gate:
    """A server that responds when the test lets it, and records the requests that arrive."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.leave = asyncio.Semaphore(0)
        self.closed = 0

    async def __call__(self, peer: Peer) -> None:
        try:
            while True:
                self.arrived.put_nowait((await peer.request()).split(b" ", 2)[1])
                await self.leave.acquire()
                peer.send(HELLO)
        finally:
            self.closed += 1
