"""However a response is cut into segments, the parser reads the same."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transport.response_parser import MalformedResponse, ResponseParser

NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
FRAMINGS = st.sampled_from(["length", "chunks", "close"])


def written(framing: str, pieces: list[bytes], trailer: bool) -> bytes:
    """The bytes of a response whose body is `pieces`."""
    head = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nX-Empty:\r\n"
    body = b"".join(pieces)
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "close":
        return head + b"\r\n" + body
    chunks = b"".join(b"%X;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    end = b"0\r\nX-Sum: 1\r\n\r\n" if trailer else b"0\r\n\r\n"
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + end


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    bounds = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@settings(deadline=None, max_examples=150)
@given(
    framing=FRAMINGS,
    pieces=st.lists(st.binary(max_size=40), max_size=6),
    trailer=st.booleans(),
    places=st.lists(st.integers(min_value=0), max_size=20),
)
def test_any_cut_gives_the_same_body(
    framing: str, pieces: list[bytes], trailer: bool, places: list[int]
) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    body = b""
    for data in cut(written(framing, pieces, trailer), places):
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
    whole = written(framing, pieces, False)
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
