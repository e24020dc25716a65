"""Large bodies: they arrive whole, whatever their framing and their pieces, in bounded memory."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from gateway.http1_grammar import FieldList
from gateway.request_context import RequestContext
from gateway.server import pipelining
from gateway.server.request_parser import RequestHandler, RequestParser
from tests.gateway.server.in_memory import GET, POST, Client, Echo, body, settle, start

SIZES = [1, 4_095, 4_096, 4_097, 32_768, 70_000, 300_000]


def frame(content: bytes, chunk: int) -> bytes:
    """Return a request with this body, in chunks of this size; 0 is a Content-Length."""
    if not chunk:
        return POST + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
    pieces = [content[begin : begin + chunk] for begin in range(0, len(content), chunk)]
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def cut(data: bytes, seed: int, longest: int) -> Iterator[bytes]:
    """Yield pieces of random lengths, as reads from a socket are."""
    choose = random.Random(seed)
    while data:
        size = choose.randint(1, longest)
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("chunk", [0, 1_000, 16_384, 65_536, 1_000_000])
@pytest.mark.parametrize("longest", [5_000, 100_000, 1_000_000])
async def test_bodies_of_any_framing_arrive_whole_and_in_order(chunk: int, longest: int) -> None:
    app = Echo()
    client = Client(app)
    bodies = [random.Random(size).randbytes(size) for size in SIZES]
    sent = b"".join(frame(content, chunk) + GET for content in bodies)
    for piece in cut(sent, chunk + longest, longest):
        client.protocol.data_received(piece)
        await settle()
    assert [content for scope, content in app.seen if scope["method"] == "POST"] == bodies
    assert client.received.count(b"HTTP/1.1 200 OK") == len(bodies) * 2
    await client.disconnect()


@pytest.mark.parametrize("chunk", [0, 200_000])
async def test_requests_behind_a_large_body_are_bounded(chunk: int) -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    await client.send(frame(b"x" * 200_000, chunk) + GET * 5_000)
    per_piece = pipelining.PARSE_BYTES // len(GET) + 1
    assert len(client.protocol._pipeline.waiting) <= pipelining.MAX_PIPELINED + per_piece
    assert not client.is_being_read
    app.go.set()
    while client.server.tasks:
        await asyncio.wait(client.server.tasks)
    assert len(app.seen) == 5_001
    await client.disconnect()


async def test_a_large_piece_is_passed_on_without_a_copy() -> None:
    received: list[bytes] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            received.append(message["body"])
            more = message["more_body"]
        await send(start(200, (b"content-length", b"0")))
        await send(body())

    client = Client(app)
    piece = b"x" * 100_000
    await client.send(POST + b"Content-Length: 200003\r\n\r\n", b"abc", piece, piece)
    assert received == [b"abc", piece, piece]
    assert received[1] is piece
    await client.disconnect()


class Pieces(RequestHandler):
    """Notes the pieces of a body that the parser delivers."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def begin_request(self, scope: Scope, **_: bool) -> None:
        """Begin a request."""

    def feed_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def end_request(self, trailers: FieldList) -> None:
        """End it."""

    def begin_upgrade(self, scope: Scope) -> None:
        raise AssertionError(scope)

    def feed_upgrade(self, data: bytes) -> None:
        raise AssertionError(data)


CHUNKED_HEAD = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;a=b\r\nx\r\n", b"3\r\nxyz\r\n"])
def test_the_chunks_of_one_buffer_are_delivered_as_one_piece(chunk: bytes) -> None:
    handler = Pieces()
    parser = RequestParser(handler, {}, {})
    count = 4_000 // len(chunk)
    parser.feed(CHUNKED_HEAD + chunk)
    parser.feed(chunk * count)
    parser.feed(chunk + b"0\r\n\r\n" + CHUNKED_HEAD + chunk)
    data = chunk.split(b"\r\n")[1]
    assert handler.pieces == [data, data * count, data, data]


async def test_the_app_receives_the_chunks_of_one_buffer_at_once() -> None:
    received: list[int] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["more_body"]:
            received.append(len(message["body"]))
        await send(start(204))
        await send(body())

    client = Client(app)
    buffer = b"1\r\nx\r\n" * 10_000
    await client.send(CHUNKED_HEAD, buffer, buffer, b"0\r\n\r\n")
    assert received == [10_000, 10_000]
    await client.disconnect()


@pytest.mark.parametrize("extension", [50, 5_000])
async def test_the_chunk_extensions_of_a_whole_body_are_bounded(extension: int) -> None:
    """None of the chunks alone has a framing that is refused."""
    client = Client(Echo())
    chunk = b"1;%b\r\nx\r\n" % (b"e" * extension)
    response = await client.send(CHUNKED_HEAD, *[chunk * (5_000 // extension)] * 40)
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"The framing of the chunks, such as their extensions, is too long" in response
    await client.disconnect()


@pytest.mark.parametrize(("extension", "size"), [(8, 1), (85, 6_000), (1_000, 100)])
async def test_extensions_in_proportion_to_their_data_are_ignored(
    extension: int, size: int
) -> None:
    app = Echo()
    client = Client(app)
    chunk = b"%x;%b\r\n%b\r\n" % (size, b"e" * extension, b"x" * size)
    await client.send(CHUNKED_HEAD, *[chunk] * 300, b"0\r\n\r\n")
    assert [len(content) for _, content in app.seen] == [300 * size]
    await client.disconnect()


async def test_small_pieces_take_the_memory_of_their_bytes() -> None:
    app = Echo(reads=False)
    app.go.clear()
    client = Client(app)
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10_000)
    assert client.protocol._active is not None
    assert client.protocol._active.buffered_bytes == 10_000
    assert len(client.protocol._active._body._pieces) == 1
    await client.disconnect()


@pytest.mark.parametrize("digits", [b"0" * 30 + b"4", b"9" * 30])
async def test_a_content_length_of_too_many_digits_is_refused(digits: bytes) -> None:
    app = Echo()
    client = Client(app)
    response = await client.send(POST + b"Content-Length: %b\r\n\r\nfour" % digits)
    assert response.startswith(b"HTTP/1.1 400 ")
    assert app.seen == []
    await client.disconnect()


async def test_the_log_has_the_reason_for_which_a_begun_response_was_ended() -> None:
    contexts = list[RequestContext]()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        contexts.append(RequestContext.of(scope))
        await send(start())
        await send(body(b"first", more=True))
        await asyncio.Event().wait()

    client = Client(app)
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"no chunk\r\n")
    assert client.is_closed
    assert not client.received.endswith(b"0\r\n\r\n")
    fields = contexts[0].log_fields
    assert fields["status"] == 499
    assert str(fields["reason"])
    await client.disconnect()
