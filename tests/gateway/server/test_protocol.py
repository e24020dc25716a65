"""The bounds of one connection on the public port, and the idle timeout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, StreamingResponse

from gateway.server import idle_timeout, protocol
from tests.gateway.server.listening import listening

TIMEOUT_SECONDS = 10
LARGE = 4_000_000
GET = b"GET /headers HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


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


def app_with(seen: Seen) -> FastAPI:
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
class Client:
    """A client that may violate the protocol."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes) -> bytes:
        """The status line of the response."""
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


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected() as client:
        yield client


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_timeout, "CHECK_SECONDS", 0.05)


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    seen = Seen()
    async with listening(app_with(seen)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Client(seen, reader, writer)
        finally:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"GET /", b"a" * 10_000),
        (b"GET / HTTP/1.1\r\nx: ", b"a" * 10_000),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (CHUNKED, b"1;" + b"e" * 10_000),
        (CHUNKED + b"0\r\n", b"a: b\r\n"),
    ],
    ids=["target", "value", "fields", "chunk extension", "trailers"],
)
async def test_an_endless_head_is_refused(client: Client, begun: bytes, piece: bytes) -> None:
    client.writer.write(begun)
    await client.push(piece, 200)
    response = await client.read_to_the_end()
    assert response.startswith(b"HTTP/1.1 400 ") or not response
    assert client.seen.headers == []


async def test_a_head_within_bounds_is_accepted(client: Client) -> None:
    fields = b"".join(b"x%d: %s\r\n" % (number, b"v" * 500) for number in range(100))
    assert await client.ask(GET[:-2] + fields + b"\r\n") == b"HTTP/1.1 200 OK"


async def test_a_long_body_does_not_count_as_a_head(client: Client) -> None:
    body = b"POST /headers HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"b" * 300_000
    assert await client.ask(body) == b"HTTP/1.1 200 OK"


async def test_trailers_are_not_passed_as_headers(client: Client) -> None:
    forged = b"0\r\nAuthorization: Bearer forged\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    assert await client.ask(CHUNKED + forged) == b"HTTP/1.1 200 OK"
    [headers] = client.seen.headers
    assert headers == {"host": "x", "transfer-encoding": "chunked"}


async def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    client.writer.write(GET * protocol.MAX_PIPELINED + GET[:-2] + b"Connection: close\r\n\r\n")
    response = await client.read_to_the_end()
    assert response.count(b"HTTP/1.1 200 OK") == protocol.MAX_PIPELINED + 1


async def test_too_many_pipelined_requests_end_the_connection(client: Client) -> None:
    hold = GET.replace(b"/headers", b"/hold")
    await client.push(hold + GET * 1_000, 3)
    assert await client.read_to_the_end() == b""
    assert client.seen.headers == []


async def test_garbage_after_a_request_is_not_answered_in_its_place(client: Client) -> None:
    client.writer.write(GET.replace(b"/headers", b"/hold") + b"\x00rubbish\r\n\r\n")
    assert await client.read_to_the_end() == b""


async def test_a_disconnect_with_pipelined_requests_cancels_the_one_in_flight(
    client: Client,
) -> None:
    client.writer.write(GET.replace(b"/headers", b"/hold") + GET)
    await asyncio.wait_for(client.seen.begun.wait(), TIMEOUT_SECONDS)
    assert not client.seen.ended.is_set()
    client.writer.close()
    await asyncio.wait_for(client.seen.ended.wait(), TIMEOUT_SECONDS)
    assert client.seen.headers == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /headers HT",
        GET[:-2],
        CHUNKED + b"5\r\nab",
        GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
    ],
    ids=["nothing", "half a line", "half a head", "half a chunk", "no body"],
)
@pytest.mark.usefixtures("hasty")
async def test_a_client_that_stops_sending_is_disconnected(client: Client, sent: bytes) -> None:
    client.writer.write(sent)
    await client.read_to_the_end()
    assert client.reader.at_eof()


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_sends_too_slowly_is_disconnected(client: Client) -> None:
    client.writer.write(GET[:-2])
    for _ in range(1_000):
        client.writer.write(b"a")
        await asyncio.sleep(0.01)
        if client.reader.at_eof() or client.writer.is_closing():
            break
    else:
        pytest.fail("ten seconds for a header line")


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_does_not_read_is_disconnected(client: Client) -> None:
    client.writer.write(GET.replace(b"/headers", b"/stream"))
    await asyncio.wait_for(client.seen.ended.wait(), TIMEOUT_SECONDS)
    await client.read_to_the_end()


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_reads_slowly_is_not_disconnected(client: Client) -> None:
    client.writer.write(GET.replace(b"/headers", b"/large"))
    read = 0
    while read < LARGE:
        piece = await client.reader.read(1_000_000)
        assert piece, f"the end after {read} bytes"
        read += len(piece)
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_waits_for_a_response_is_not_disconnected(client: Client) -> None:
    asking = asyncio.create_task(client.ask(GET.replace(b"/headers", b"/hold")))
    await asyncio.sleep(0.5)
    client.seen.go.set()
    assert await asking == b"HTTP/1.1 200 OK"
