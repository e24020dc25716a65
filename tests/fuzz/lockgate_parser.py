"""Parses bytes with Lockgate's response parser, split into given pieces."""

from collections.abc import Iterable

from gateway.http1_grammar import MAX_FIELDS, MAX_HEAD_BYTES
from gateway.transport.response_parser import MalformedResponse, ResponseParser
from tests.fuzz.reference_parser import ParseResult

_NEXT_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"


def parse_with_lockgate(pieces: Iterable[bytes], *, bodiless: bool) -> ParseResult:
    """Feed non-empty `pieces` as a connection does, and then the end of the stream.

    Raises:
        AssertionError: the parser buffers more than its limits allow.
    """
    parser = ResponseParser()
    parser.begin(has_no_body=bodiless)
    result = ParseResult()
    has_extra_data = False
    try:
        for piece in pieces:
            if parser.is_complete:
                has_extra_data = True  # the connection aborts on it
                break
            _feed(parser, piece)
            result.body += parser.take_body()
    except MalformedResponse:
        result.state = "invalid"
    if parser.head is not None:
        head = parser.head
        result.status, result.version, result.fields = head.status, head.version, head.fields
        assert len(head.fields) <= MAX_FIELDS
        assert sum(len(name) + len(value) for name, value in head.fields) <= MAX_HEAD_BYTES
    if result.state != "invalid":
        _finish(parser, result, has_extra_data)
    return result


def _feed(parser: ResponseParser, piece: bytes) -> None:
    try:
        parser.feed(piece)
    finally:
        assert parser.buffered == sum(map(len, parser.pieces)) <= len(piece)


def _finish(parser: ResponseParser, result: ParseResult, has_extra_data: bool) -> None:
    keeps_alive = parser.is_complete and parser.keeps_alive and not has_extra_data
    if not parser.is_complete:
        parser.feed_eof()
    result.state = "complete" if parser.is_complete else "incomplete"
    result.keeps_alive = keeps_alive
    if keeps_alive:
        _check_next_response(parser)


def _check_next_response(parser: ResponseParser) -> None:
    """Check that the parser of a reusable connection reads the next response from a clean state."""
    parser.begin(has_no_body=False)
    try:
        parser.feed(_NEXT_RESPONSE)
    except MalformedResponse as exc:
        raise AssertionError(f"the parser refuses the next response: {exc}") from exc
    assert parser.is_complete
    assert parser.keeps_alive
    assert parser.take_body() == b"next"
