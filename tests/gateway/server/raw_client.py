"""A client on a socket that may violate the protocol, and an app for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, StreamingResponse

from gateway.server.connections import ClientTimeouts
from tests.gateway.server.serve_app import serve_app

TIMEOUT_SECONDS = 10
LARGE = 4_000_000
GET_HEADERS = b"GET /headers HTTP/1.1\r\nHost: x\r\n\r\n"
POST_CHUNKED = b"POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Seen:
    """The requests that reached the app."""

    headers: list[dict[str, str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


async def without_end(seen: Seen) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)
    finally:
        seen.ended.set()


def build_app(seen: Seen) -> FastAPI:
    app = FastAPI()

    @app.api_route("/headers", methods=["GET", "POST"])
    async def headers(request: Request) -> int:
        body = await request.body()
        seen.headers.append(dict(request.headers))
        return len(body)

    @app.get("/hold")
    async def hold() -> None:
        seen.begun.set()
        try:
            await seen.go.wait()
        finally:
            seen.ended.set()

    @app.get("/large")
    async def large() -> PlainTextResponse:
        return PlainTextResponse("x" * LARGE)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(without_end(seen))

    return app


@dataclass(frozen=True)
class RawClient:
    """A client that may violate the protocol."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send_request(self, request: bytes) -> bytes:
        """Send a request, and return the status line of the response."""
        self.writer.write(request)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT_SECONDS)
        return head.partition(b"\r\n")[0]

    async def read_to_the_end(self) -> bytes:
        """Return all that is received until the connection ends."""
        try:
            return await asyncio.wait_for(self.reader.read(), TIMEOUT_SECONDS)
        except ConnectionError:
            return b""

    async def push(self, piece: bytes, times: int) -> None:
        """Send a piece repeatedly, until the server closes the connection."""
        try:
            for _ in range(times):
                self.writer.write(piece)
                await asyncio.wait_for(self.writer.drain(), TIMEOUT_SECONDS)
        except ConnectionError:
            pass


@asynccontextmanager
async def open_raw_client(timeouts: ClientTimeouts | None = None) -> AsyncIterator[RawClient]:
    seen = Seen()
    async with serve_app(build_app(seen), timeouts=timeouts) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield RawClient(seen, reader, writer)
        finally:
            writer.transport.abort()
