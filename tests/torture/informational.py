"""Cases of informational (1xx) responses: before the final response, and in place of it."""

from tests.gateway.transport.scripted_server import HELLO
from tests.torture.case import (
    PROTOCOL_ERROR,
    READ_ERROR,
    READ_TIMEOUT,
    Call,
    Case,
    accept,
    close,
    make_case,
    reset,
)

_DECLARES_BODY = (
    "a 1xx response must not declare a body (RFC 9110, 8.6), and some parsers wait for one"
)


def _make_1xx(status: int, *fields: bytes) -> bytes:
    return b"HTTP/1.1 %d Wait\r\n" % status + b"".join(f + b"\r\n" for f in fields) + b"\r\n"


INFORMATIONAL: tuple[Case, ...] = (
    make_case("100, then the response", _make_1xx(100) + HELLO, accept()),
    make_case("102, then the response", _make_1xx(102) + HELLO, accept()),
    make_case("103, then the response", _make_1xx(103, b"Link: </a>") + HELLO, accept()),
    make_case("199 (undefined), then the response", _make_1xx(199) + HELLO, accept()),
    make_case(
        "seven 1xx responses, then the response",
        _make_1xx(100) + _make_1xx(102) * 3 + _make_1xx(103) * 3 + HELLO,
        accept(),
    ),
    make_case("a hundred 1xx responses, then the response", _make_1xx(103) * 100 + HELLO, accept()),
    make_case(
        "100 kB of 1xx responses, then the response",
        _make_1xx(103) * 4_600 + HELLO,
        PROTOCOL_ERROR,
        accept(),
        "Lockgate limits the bytes before the final response to 64 KiB",
    ),
    make_case(
        "101 that was not requested, then the response", _make_1xx(101) + HELLO, PROTOCOL_ERROR
    ),
    make_case(
        "101 with `Connection: upgrade`",
        _make_1xx(101, b"Connection: upgrade", b"Upgrade: x") + b"x",
        PROTOCOL_ERROR,
    ),
    make_case(
        "100 with `Content-Length`, then the response",
        _make_1xx(100, b"Content-Length: 5") + HELLO,
        PROTOCOL_ERROR,
        accept(),
        _DECLARES_BODY,
    ),
    make_case(
        "100 with `Transfer-Encoding: chunked`, then the response",
        _make_1xx(100, b"Transfer-Encoding: chunked") + HELLO,
        PROTOCOL_ERROR,
        accept(),
        _DECLARES_BODY,
    ),
    make_case(
        "100 with a body, then the response",
        _make_1xx(100, b"Content-Length: 5") + b"hello" + HELLO,
        PROTOCOL_ERROR,
    ),
    make_case(
        "199 with a body, then the response",
        _make_1xx(199, b"Content-Length: 5") + b"hello" + HELLO,
        PROTOCOL_ERROR,
    ),
    make_case(
        "100 with a chunked body, then the response",
        _make_1xx(100, b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + HELLO,
        PROTOCOL_ERROR,
    ),
    make_case(
        "103 with `Connection: close`, then the response",
        _make_1xx(103, b"Connection: close") + HELLO,
        PROTOCOL_ERROR,
        accept(),
        "`Connection: close` announces that nothing follows on this connection",
    ),
    make_case(
        "100 in HTTP/1.0, then the response",
        _make_1xx(100).replace(b"1.1", b"1.0") + HELLO,
        PROTOCOL_ERROR,
        accept(),
        "HTTP/1.0 has no 1xx responses (RFC 9110, 15.2)",
    ),
    make_case(
        "100 with `Connection: keep-alive`, then the response",
        _make_1xx(100, b"Connection: keep-alive") + HELLO,
        accept(),
    ),
    make_case(
        "100, an empty line, then the response", _make_1xx(100) + b"\r\n" + HELLO, PROTOCOL_ERROR
    ),
    make_case(
        "half of a 1xx response, then a close", _make_1xx(103)[:-4], PROTOCOL_ERROR, then=close
    ),
    make_case("a 1xx response, then a close", _make_1xx(103), PROTOCOL_ERROR, then=close),
    make_case("a 1xx response, then a reset", _make_1xx(103), READ_ERROR, then=reset),
    make_case(
        "a 1xx response, then no more data", _make_1xx(103), READ_TIMEOUT, call=Call(timeout=0.01)
    ),
)
