"""A client connected to `HttpProtocol` directly, without sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.server.connections import ClientTimeouts, OpenConnections
from gateway.server.protocol import HttpProtocol
from gateway.server.uvicorn_internals import ServerState

HIGH_WATER = 65_536
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"  # of `Echo`
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
TURNS = 20  # of the event loop, after which no task is ready


class Client(asyncio.Transport):
    """The transport of a connection: collects the server's output in `received`.

    Unless it `reads_response`, the output fills the send buffer. `is_being_read` is true while the
    server reads from the client.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
        config = uvicorn.Config(app, http=HttpProtocol, lifespan="off", log_config=None)
        config.load()
        self.server = ServerState()
        self.server.default_headers = [(b"date", b"now")]
        self.connections = OpenConnections(ClientTimeouts(), max_connections=100)
        self.received = bytearray()
        self.pending = 0
        self.reads_response = self.is_being_read = True
        self.is_closed = self.is_eof_sent = False
        self.app_state: dict[str, Any] = {"opened": True}
        self.protocol = HttpProtocol(config, self.server, self.app_state, self.connections)
        self.protocol.connection_made(self)

    async def send(self, *pieces: bytes) -> bytes:
        """Send these pieces, and return all that the server has sent, without its date."""
        for piece in pieces:
            if not self.is_closed:
                self.protocol.data_received(piece)
            await settle()
        return bytes(self.received).replace(b"date: now\r\n", b"")

    async def disconnect(self) -> None:
        self.close()
        await settle()
        del self.protocol  # as the transports of a loop do

    async def read_all(self) -> None:
        """Read everything from now on."""
        self.reads_response, self.pending = True, 0
        self.protocol.resume_writing()
        await settle()

    # Called by the protocol.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        assert not self.is_eof_sent, "written after the end"
        if self.is_closed:
            return
        self.received += data
        if not self.reads_response:
            self.pending += len(data)
            if self.pending > HIGH_WATER:
                self.protocol.pause_writing()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_eof_sent = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.pending

    def pause_reading(self) -> None:
        self.is_being_read = False

    def resume_reading(self) -> None:
        self.is_being_read = True


async def settle() -> None:
    """Run the event loop until nothing is ready."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def build_request(target: bytes, fields: bytes = b"Host: x\r\n", method: bytes = b"GET") -> bytes:
    """Return the head of a request."""
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, fields)


def start(status: int = 200, *fields: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


def body(piece: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


async def send_without_end(send: Send, begun: asyncio.Event) -> None:
    """Send a body that has no end; set `begun` once a piece has been sent."""
    await send(start())
    while True:
        await send(body(b"x" * 100_000, more=True))
        begun.set()


def make_app(*messages: Message) -> ASGIApp:
    """Return an app that sends these messages for each request."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class Echo:
    """An app that records its requests, and responds when the test sets `go`."""

    def __init__(self, *, reads: bool = True) -> None:
        self.seen: list[tuple[Scope, bytes]] = []
        self.reads = reads
        self.begun = 0
        self.go = asyncio.Event()
        self.go.set()
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        content = await _whole(receive) if self.reads else b""
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.seen.append((scope, content))
        await send(start(200, (b"content-length", b"2")))
        await send(body(b"ok"))


async def _whole(receive: Callable[[], Awaitable[Message]]) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content
