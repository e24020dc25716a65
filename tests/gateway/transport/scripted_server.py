"""A server that sends exactly the bytes of its script."""

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

    async def read_request(self) -> bytes:
        """Read the next request: its head, and a body with a Content-Length or in chunks."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        if fields.get(b"transfer-encoding") == b"chunked":
            return head + await self.reader.readuntil(b"0\r\n\r\n")
        return head + await self.reader.readexactly(int(fields.get(b"content-length", 0)))

    def send(self, piece: bytes) -> None:
        """Write in one piece."""
        self.writer.write(piece)

    async def drip(self, pieces: list[bytes]) -> None:
        """Write each piece after the previous one has been sent."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """Reset the connection (RST)."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Script = Callable[[Peer], Awaitable[None]]


class ScriptedServer:
    """The state of the server: its URL, and the connections it has accepted."""

    def __init__(self, script: Script, scheme: str) -> None:
        self._script = script
        self._scheme = scheme
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.url = ""

    def set_address(self, server: asyncio.Server) -> None:
        """Take the address from the socket."""
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"{self._scheme}://{host}:{port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the script for one connection, then close it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(Peer(reader, writer))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client has disconnected, or the test has ended
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def wait_done(self) -> None:
        """Wait until every script has ended and the client has been notified."""
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
async def serve_script(
    script: Script, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Run `script` for every connection to a server on a free port."""
    state = ScriptedServer(script, "https" if tls else "http")
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=tls, limit=2**24)
    state.set_address(server)
    try:
        yield state
    finally:
        server.close()
        await state.stop()
        await server.wait_closed()


def respond_with(*answers: bytes) -> Script:
    """Make a script that sends one response per request, then waits."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.read_request()
            peer.send(answer)
        await peer.wait_closed()

    return script


def respond_and_close(answer: bytes) -> Script:
    """Make a script that sends one response, then closes the connection."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(answer)

    return script


class RecordingServer:
    """A script that records the requests."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.read_request())
            peer.send(HELLO)


class GatedServer:
    """A script that responds when the test lets it, and records the targets."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.leave = asyncio.Semaphore(0)
        self.closed = 0

    async def __call__(self, peer: Peer) -> None:
        try:
            while True:
                self.arrived.put_nowait((await peer.read_request()).split(b" ", 2)[1])
                await self.leave.acquire()
                peer.send(HELLO)
        finally:
            self.closed += 1
