"""Cases of responses that are cut off, slow or absent."""

from tests.gateway.transport.scripted_server import HELLO, OK, Peer
from tests.torture.case import (
    PROTOCOL_ERROR,
    READ_ERROR,
    READ_TIMEOUT,
    Call,
    Case,
    accept,
    accept_then_close,
    close,
    make_case,
    reset,
)
from tests.torture.case_server import run_pending_io
from tests.torture.chunked import CHUNKED

_SHORT_TIMEOUT = Call(timeout=0.01)
_CHUNKED_RESPONSE = CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"
_RESPONSE_STARTS = {
    "before the status line": b"",
    "within the status line": b"HTTP/1.1 2",
    "within a header field": OK + b"Content-Le",
    "after the head": OK + b"Content-Length: 5\r\n\r\n",
    "within the body": OK + b"Content-Length: 5\r\n\r\nhel",
    "within a chunk size": CHUNKED + b"5",
    "within a chunk": CHUNKED + b"5\r\nhel",
    "after a chunk": CHUNKED + b"5\r\nhello",
    "within the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "within a trailer field": CHUNKED + b"5\r\nhello\r\n0\r\nX-S",
}


async def _close_before_request(peer: Peer) -> None:
    peer.writer.write_eof()
    await peer.wait_closed()


async def _reset_before_request(peer: Peer) -> None:
    peer.reset()


async def _send_byte_by_byte(peer: Peer) -> None:
    await peer.read_request()
    for byte in _CHUNKED_RESPONSE:
        peer.send(bytes([byte]))
        await run_pending_io()


async def _close_sending_side(peer: Peer) -> None:
    await peer.read_request()
    peer.send(HELLO)
    peer.writer.write_eof()
    await peer.wait_closed()


async def _respond_early(peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    await peer.drip([_TOO_LARGE])
    await peer.reader.readexactly(len(_LARGE_UPLOAD.content))


async def _respond_early_and_close(peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    await peer.drip([_TOO_LARGE])
    await run_pending_io()
    peer.writer.close()


_LARGE_UPLOAD = Call("POST", b"a" * 8_000_000)
_STOPS_SENDING = "Lockgate stops sending the request and reads the response"
_TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello"

INCOMPLETE_RESPONSES: tuple[Case, ...] = (
    *(
        make_case(f"a close {place}", sent, PROTOCOL_ERROR, then=close)
        for place, sent in _RESPONSE_STARTS.items()
    ),
    *(
        make_case(f"a reset {place}", sent, READ_ERROR, then=reset)
        for place, sent in _RESPONSE_STARTS.items()
    ),
    *(
        make_case(f"no more data {place}", sent, READ_TIMEOUT, call=_SHORT_TIMEOUT)
        for place, sent in _RESPONSE_STARTS.items()
    ),
    make_case("a reset within a body without a length", OK + b"\r\nhel", READ_ERROR, then=reset),
    make_case(
        "no more data within a body without a length",
        OK + b"\r\nhel",
        READ_TIMEOUT,
        call=_SHORT_TIMEOUT,
    ),
    Case("a close before the request", _close_before_request, PROTOCOL_ERROR, request_count=0),
    Case("a reset before the request", _reset_before_request, READ_ERROR, request_count=0),
    make_case("a close after the response", HELLO, accept_then_close(), then=close),
    make_case("a reset after the response", HELLO, accept_then_close(), then=reset),
    Case(
        "the server closes only its sending side after the response",
        _close_sending_side,
        accept_then_close(),
    ),
    Case("the response one byte at a time", _send_byte_by_byte, accept()),
    Case(
        "a response before the server has read the whole request",
        _respond_early,
        accept_then_close(status=413),
        accept(status=413),
        _STOPS_SENDING,
        call=_LARGE_UPLOAD,
        request_count=0,
    ),
    Case(
        "a response and a close before the server has read the whole request",
        _respond_early_and_close,
        accept_then_close(status=413),
        READ_ERROR,
        _STOPS_SENDING,
        call=_LARGE_UPLOAD,
        request_count=0,
    ),
)
