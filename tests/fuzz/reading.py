"""What our parser makes of bytes, cut up in some way."""

from collections.abc import Iterable

from gateway.http1_grammar import MAX_FIELDS, MAX_HEAD_BYTES
from gateway.transport.response_parser import MalformedResponse, ResponseParser
from tests.fuzz.reference import Reading

_NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"


def parsed(pieces: Iterable[bytes], *, bodiless: bool) -> Reading:
    """Feed `pieces`, none of them empty, as a connection does; then the server closes it.

    Raises:
        AssertionError: the parser keeps more than it was given, or than it may.
    """
    parser = ResponseParser()
    parser.begin(has_no_body=bodiless)
    reading = Reading()
    stray = False
    try:
        for piece in pieces:
            if parser.is_complete:
                stray = True  # a connection is aborted by it
                break
            _feed(parser, piece)
            reading.body += parser.take_body()
    except MalformedResponse:
        reading.state = "none"
    if parser.head is not None:
        head = parser.head
        reading.status, reading.version, reading.fields = head.status, head.version, head.fields
        assert len(head.fields) <= MAX_FIELDS
        assert sum(len(name) + len(value) for name, value in head.fields) <= MAX_HEAD_BYTES
    if reading.state != "none":
        _end(parser, reading, stray)
    return reading


def _feed(parser: ResponseParser, piece: bytes) -> None:
    try:
        parser.feed(piece)
    finally:
        assert parser.buffered == sum(map(len, parser.pieces)) <= len(piece)


def _end(parser: ResponseParser, reading: Reading, stray: bool) -> None:
    alive = parser.is_complete and parser.keeps_alive and not stray
    if not parser.is_complete:
        parser.feed_eof()
    reading.state = "whole" if parser.is_complete else "part"
    reading.keeps_alive = alive
    if alive:
        _next(parser)


def _next(parser: ResponseParser) -> None:
    """What is kept reads the next response as if it were the first."""
    parser.begin(has_no_body=False)
    try:
        parser.feed(_NEXT)
    except MalformedResponse as exc:
        raise AssertionError(f"the next response is refused: {exc}") from exc
    assert parser.is_complete
    assert parser.keeps_alive
    assert parser.take_body() == b"next"
