"""Cases of bytes after the response, in the same segment or later."""

from tests.gateway.transport.scripted_server import HELLO, OK, Peer, Script
from tests.torture.case import (
    HEAD,
    Case,
    Outcome,
    accept,
    accept_then_close,
    accept_then_poison,
    make_case,
)
from tests.torture.case_server import run_pending_io
from tests.torture.chunked import CHUNKED

_SECOND_RESPONSE = OK + b"Content-Length: 4\r\n\r\nevil"
_CHUNKED_RESPONSE = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
_READ_AS_NEXT = (
    "httpx reads the extra bytes as the response to the next call, which may be another user's"
)
_POISONED = accept_then_poison()


def _send_later(response: bytes, extra: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(response)
        await run_pending_io()
        peer.send(extra)

    return script


def _make_pair(
    name: str, response: bytes, extra: bytes, expected_httpx: Outcome = _POISONED
) -> tuple[Case, Case]:
    """Make two cases: the extra bytes in the response's segment, and in one after it."""
    in_one_segment = f"{name}, in one segment"
    return (
        make_case(
            in_one_segment,
            response + extra,
            accept_then_close(),
            expected_httpx,
            _READ_AS_NEXT if expected_httpx != accept_then_close() else "",
        ),
        Case(f"{name}, later", _send_later(response, extra), accept_then_close()),
    )


EXTRA_BYTES: tuple[Case, ...] = (
    *_make_pair("a second response", HELLO, _SECOND_RESPONSE),
    *_make_pair("a second response after a chunked body", _CHUNKED_RESPONSE, _SECOND_RESPONSE),
    *_make_pair("half a second response", HELLO, _SECOND_RESPONSE[:20]),
    *_make_pair("one byte beyond the `Content-Length`", HELLO, b"!"),
    *_make_pair("a NUL byte", HELLO, b"\0"),
    *_make_pair("an empty line", HELLO, b"\r\n"),
    *_make_pair("an empty line after a chunked body", _CHUNKED_RESPONSE, b"\r\n"),
    *_make_pair("half an empty line after a chunked body", _CHUNKED_RESPONSE, b"\r"),
    *_make_pair("a second last chunk", _CHUNKED_RESPONSE, b"0\r\n\r\n"),
    *_make_pair("a 1xx response", HELLO, b"HTTP/1.1 103 Early Hints\r\n\r\n", accept()),
    *_make_pair(
        "a 408 response", HELLO, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    ),
    *_make_pair("1 MiB of data", HELLO, b"a" * (1 << 20), accept_then_close()),
    make_case(
        "HEAD: the size of a first chunk",
        CHUNKED + b"5",
        accept_then_close(b""),
        accept_then_poison(b""),
        _READ_AS_NEXT,
        call=HEAD,
    ),
    make_case(
        "HEAD: an empty line",
        OK + b"Content-Length: 0\r\n\r\n\r\n",
        accept_then_close(b""),
        accept_then_poison(b""),
        _READ_AS_NEXT,
        call=HEAD,
    ),
    make_case(
        "204: an empty line",
        b"HTTP/1.1 204 No\r\n\r\n\r\n",
        accept_then_close(b"", status=204),
        accept_then_poison(b"", status=204),
        _READ_AS_NEXT,
    ),
    make_case(
        "HEAD: a second response",
        OK + b"Content-Length: 5\r\n\r\n" + _SECOND_RESPONSE,
        accept_then_close(b""),
        accept_then_poison(b""),
        _READ_AS_NEXT,
        call=HEAD,
    ),
    make_case(
        "204: a second response",
        b"HTTP/1.1 204 No\r\n\r\n" + _SECOND_RESPONSE,
        accept_then_close(b"", status=204),
        accept_then_poison(b"", status=204),
        _READ_AS_NEXT,
    ),
    make_case(
        "304: a second response",
        b"HTTP/1.1 304 No\r\n\r\n" + _SECOND_RESPONSE,
        accept_then_close(b"", status=304),
        accept_then_poison(b"", status=304),
        _READ_AS_NEXT,
    ),
    make_case(
        "a byte after a response with `Connection: close`",
        OK + b"Connection: close\r\n" + HELLO[17:] + b"!",
        accept_then_close(),
    ),
)
