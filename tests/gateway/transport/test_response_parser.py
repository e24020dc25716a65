"""The parser on any split of a response, and whole and broken responses on a socket."""

from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transport.response_parser import MalformedResponse, ResponseParser
from gateway.transport.transport import Transport
from tests.gateway.transport.requests import fetch
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    Peer,
    respond_and_close,
    respond_with,
    serve_script,
)

NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"


FRAMINGS = st.sampled_from(["length", "chunks", "close"])


def build_response(framing: str, pieces: list[bytes], trailer: bool) -> bytes:
    """Return the bytes of a response whose body is `pieces`."""
    head = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nX-Empty:\r\n"
    body = b"".join(pieces)
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "close":
        return head + b"\r\n" + body
    chunks = b"".join(b"%X;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    end = b"0\r\nX-Sum: 1\r\n\r\n" if trailer else b"0\r\n\r\n"
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + end


def split(data: bytes, places: list[int]) -> list[bytes]:
    """Split `data` into non-empty pieces."""
    bounds = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@settings(deadline=None, max_examples=150)
@given(
    framing=FRAMINGS,
    pieces=st.lists(st.binary(max_size=40), max_size=6),
    trailer=st.booleans(),
    places=st.lists(st.integers(min_value=0), max_size=20),
)
def test_any_split_gives_the_same_body(
    framing: str, pieces: list[bytes], trailer: bool, places: list[int]
) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    body = b""
    for data in split(build_response(framing, pieces, trailer), places):
        assert not parser.is_complete
        parser.feed(data)
        body += parser.take_body()
    if framing == "close":
        assert not parser.is_complete
        parser.feed_eof()
    assert parser.is_complete
    assert parser.head is not None
    assert (parser.head.status, parser.head.fields[0]) == (200, (b"X-Empty", b""))
    assert body == b"".join(pieces)
    assert parser.keeps_alive == (framing != "close")


@settings(deadline=None, max_examples=150)
@given(
    framing=st.sampled_from(["length", "chunks"]),
    pieces=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6),
    place=st.integers(min_value=0),
)
def test_no_prefix_of_a_response_is_complete(framing: str, pieces: list[bytes], place: int) -> None:
    whole = build_response(framing, pieces, False)
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    if beginning := whole[: place % len(whole)]:
        parser.feed(beginning)
    parser.feed_eof()
    assert not parser.is_complete


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300))
def test_noise_is_refused_or_incomplete(noise: bytes) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    try:
        parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + noise)
    except MalformedResponse:
        return
    assert parser.buffered <= len(noise)
    assert not parser.is_complete or b"0\r\n" in noise


def test_it_parses_one_response_after_the_other() -> None:
    parser = ResponseParser()
    for bodiless in (False, True, False, False):
        parser.begin(has_no_body=bodiless)
        parser.feed(NEXT[:-4] if bodiless else NEXT)
        assert parser.is_complete
        assert parser.keeps_alive
        assert parser.take_body() == (b"" if bodiless else b"next")


@pytest.mark.parametrize("bodiless", [False, True])
def test_a_second_response_to_one_request_is_dropped(bodiless: bool) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=bodiless)
    parser.feed(NEXT + NEXT)
    assert parser.is_complete
    assert not parser.keeps_alive
    assert parser.take_body() == (b"" if bodiless else b"next")


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


WHOLE = {
    "length": (HELLO, b"hello"),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunk extension": (CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello"),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, b"hello"),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + HELLO, b"hello"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    "unused length": (b"HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_complete_response_leaves_a_reusable_connection(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    answer, body = WHOLE[name]
    async with serve_script(respond_with(answer, HELLO)) as server:
        assert (await fetch(either, server.url))[1] == body
        assert await fetch(either, server.url) == (200, b"hello")
        assert server.connections == 1
        await either.aclose()


@pytest.mark.parametrize("name", WHOLE)
async def test_a_response_may_arrive_byte_by_byte(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    answer, body = WHOLE[name]

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([answer[i : i + 1] for i in range(len(answer))])
        await peer.wait_closed()

    async with serve_script(script) as server:
        assert (await fetch(either, server.url))[1] == body
        await either.aclose()


UNTIL_CLOSE = {
    "no length": OK + b"\r\nhello",
    "old": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "close": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    "close among others": OK + b"Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", UNTIL_CLOSE)
async def test_a_response_may_end_with_its_connection(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    async with serve_script(respond_and_close(UNTIL_CLOSE[name])) as server:
        assert await fetch(either, server.url) == (200, b"hello")
        assert await fetch(either, server.url) == (200, b"hello")
        assert server.connections == 2
        await either.aclose()


async def test_head_has_no_body_whatever_its_length_says(either: httpx.AsyncBaseTransport) -> None:
    head = OK + b"Content-Length: 500\r\n\r\n"
    async with serve_script(respond_with(head, HELLO)) as server:
        assert await fetch(either, server.url, "HEAD") == (200, b"")
        assert await fetch(either, server.url) == (200, b"hello")
        assert server.connections == 1
        await either.aclose()


BROKEN = {
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "huge length": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "chunk size no number": CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "chunk size negative": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk size overflow": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + b"5\r\nhelloXX0\r\n\r\n",
    "space in a name": OK + b"X Y: z\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "zero byte in a value": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "half a head": OK + b"Content-Le",
    "half a body": OK + b"Content-Length: 5\r\n\r\nhel",
    "half a chunk": CHUNKED + b"5\r\nhel",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "nothing": b"",
    "one endless field": OK + b"X: " + b"a" * 300_000,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_response_is_refused(either: httpx.AsyncBaseTransport, name: str) -> None:
    async with serve_script(respond_and_close(BROKEN[name])) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(either, server.url)
        await either.aclose()


AMBIGUOUS = {
    "a later version": b"HTTP/2.0 200 OK\r\n\r\n",
    "both lengths": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "equal lengths": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no chunks": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "twice chunked": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "another protocol, unnamed": b"HTTP/1.1 101 Go\r\n\r\n" + HELLO,
    "folded field": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "chunks with bare line feeds": CHUNKED + b"5\nhello\n0\n\n",
    "many fields": OK + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
    "large head": OK + (b"X: " + b"a" * 1_000 + b"\r\n") * 80 + b"Content-Length: 0\r\n\r\n",
    "many trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "endless hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000,
    "endless reason": b"HTTP/1.1 200 " + b"a" * 300_000,
    "endless extension": CHUNKED + b"5;" + b"a" * 600_000,
    "extensions that outgrow their data": CHUNKED + (b"1;" + b"a" * 50 + b"\r\nx\r\n") * 5_000,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_response_is_refused(transport: Transport, name: str) -> None:
    async with serve_script(respond_with(AMBIGUOUS[name])) as server:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await fetch(transport, server.url)
        assert caught.value.request.url == server.url
        await transport.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        HELLO + b"\x00",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n",
    ],
)
async def test_bytes_after_the_response_close_the_connection(
    transport: Transport, answer: bytes
) -> None:
    async with serve_script(respond_with(answer, HELLO)) as server:
        first = await fetch(transport, server.url)
        assert await fetch(transport, server.url) == first
        assert server.connections == 2
        await transport.aclose()


async def test_fields_arrive_as_they_were_sent(either: httpx.AsyncBaseTransport) -> None:
    answer = (
        OK + b"Set-Cookie: a\r\nset-cookie: b\r\nX-E:\r\nX-S:  a b \t\r\nContent-Length: 0\r\n\r\n"
    )
    async with serve_script(respond_with(answer)) as server:
        response = await either.handle_async_request(httpx.Request("GET", server.url))
        await response.aread()
        assert response.headers.multi_items() == [
            ("set-cookie", "a"),
            ("set-cookie", "b"),
            ("x-e", ""),
            ("x-s", "a b"),
            ("content-length", "0"),
        ]
        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase == "OK"
        await either.aclose()


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;a=b\r\nx\r\n", b"3\r\nxyz\r\n"])
def test_the_chunks_of_one_segment_are_one_piece(chunk: bytes) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    parser.feed(CHUNKED + chunk * 2)
    parser.feed(chunk * 40_000)
    with pytest.raises(MalformedResponse):
        parser.feed(chunk + b"?\r\n")
    data = chunk.split(b"\r\n")[1]
    assert list(parser.pieces) == [data * 2, data * 40_000, data]
    assert parser.buffered == 40_003 * len(data)


def test_chunk_extensions_in_proportion_to_their_data_are_ignored() -> None:
    """The signatures of a service do not add up, however long its body is."""
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    parser.feed(CHUNKED)
    chunk = b"%x;chunk-signature=%b\r\n%b\r\n" % (8_192, b"0" * 64, b"x" * 8_192)
    for _ in range(2_000):
        parser.feed(chunk)
        assert len(parser.take_body()) == 8_192
    parser.feed(b"0\r\n\r\n")
    assert parser.is_complete


def test_nothing_of_a_response_is_left_for_the_next_one() -> None:
    parser, fresh = ResponseParser(), ResponseParser()
    parser.begin(has_no_body=True)
    parser.collect_interim(can_upgrade=True)
    parser.feed(b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n")
    parser.begin(has_no_body=False)
    parser.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-a: 1\r\n\r\n")
    assert parser.trailers == [(b"x-a", b"1")]
    for one in (parser, fresh):
        one.begin(has_no_body=False)
    assert vars(parser) == vars(fresh)
    parser.feed(OK + b"Content-Length: 9\r\n\r\nhello")
    for one in (parser, fresh):
        one.begin(has_no_body=False)
    assert vars(parser) == vars(fresh)
