"""What our parser makes of bytes, cut up in some way."""

from collections.abc import Iterable

from clients.response_parser import MAX_FIELDS, MAX_HEAD_BYTES, Malformed, ResponseParser
from tests.fuzz.reference import Reading


def parsed(pieces: Iterable[bytes], *, bodiless: bool) -> Reading:
    """Feed `pieces`, none of them empty, as a connection does; then the server closes it.

    Raises:
        AssertionError: the parser keeps more than it was given, or than it may.
    """
    parser = ResponseParser()
    parser.begin(bodiless=bodiless)
    reading = Reading()
    stray = False
    try:
        for piece in pieces:
            if parser.complete:
                stray = True  # a connection is aborted by it
                break
            _feed(parser, piece)
            reading.body += parser.take()
    except Malformed:
        reading.state = "none"
    else:
        _end(parser, reading, stray)
    if parser.head is not None:
        head = parser.head
        reading.status, reading.version, reading.fields = head.status, head.version, head.fields
        assert len(head.fields) <= MAX_FIELDS
        assert sum(len(name) + len(value) for name, value in head.fields) <= MAX_HEAD_BYTES
    return reading


def _feed(parser: ResponseParser, piece: bytes) -> None:
    try:
        parser.feed(piece)
    finally:
        assert parser.buffered == sum(map(len, parser.pieces)) <= len(piece)


def _end(parser: ResponseParser, reading: Reading, stray: bool) -> None:
    alive = parser.complete and parser.keeps_alive and not stray
    if not parser.complete:
        parser.end()
    reading.state = "whole" if parser.complete else "part"
    reading.keeps_alive = alive
