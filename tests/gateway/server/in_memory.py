"""A client on the other side of the public protocol, without sockets between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.server.protocol import HttpProtocol
from gateway.server.uvicorn_internals import ServerState

HIGH_WATER = 65_536
TURNS = 20  # of the loop, after which nothing moves any more


class Client(asyncio.Transport):
    """Keeps what is written to it; one that does not `take` it lets it pile up."""

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
        config = uvicorn.Config(
            app, http=HttpProtocol, lifespan="off", log_config=None, root_path=root_path
        )
        config.load()
        self.server = ServerState()
        self.server.default_headers = [(b"date", b"now")]
        self.answer = bytearray()
        self.pending = 0
        self.takes = self.reads = True
        self.is_closed = self.is_ended = False
        self.protocol = HttpProtocol(config, self.server, {"opened": True})
        self.protocol.connection_made(self)

    async def say(self, *pieces: bytes) -> bytes:
        """What the server has answered after these, its date aside."""
        for piece in pieces:
            if not self.is_closed:
                self.protocol.data_received(piece)
            await settle()
        return bytes(self.answer).replace(b"date: now\r\n", b"")

    async def leave(self) -> None:
        self.close()
        await settle()
        del self.protocol  # as the transports of a loop do

    async def take(self) -> None:
        """Read all there is, from now on."""
        self.takes, self.pending = True, 0
        self.protocol.resume_writing()
        await settle()

    # What the protocol sees.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        assert not self.is_ended, "written after the end"
        if self.is_closed:
            return
        self.answer += data
        if not self.takes:
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
        self.is_ended = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.pending

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def start(status: int = 200, *fields: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


def body(piece: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def answering(*messages: Message) -> ASGIApp:
    """An app that says these, whatever it is asked."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class Echo:
    """An app that records what it is asked, and answers when the test lets it."""

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
