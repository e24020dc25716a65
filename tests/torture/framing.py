"""Cases of body length: valid, absent and conflicting lengths, and statuses without a body."""

from tests.gateway.transport.scripted_server import HELLO, OK
from tests.torture.case import (
    HEAD,
    PROTOCOL_ERROR,
    READ_TIMEOUT,
    Call,
    Case,
    accept,
    accept_then_close,
    accept_then_poison,
    close,
    make_case,
)

_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_AMBIGUOUS = "two parsers can disagree on where the body ends: response smuggling (RFC 9112, 6.3)"
_LEFTOVER = "httpx reads the leftover bytes as the next response"
_DUPLICATE = (
    "two components each wrote a length and may disagree next time; RFC 9110 (8.6) allows refusal"
)


def _with_length(value: bytes, body: bytes = b"hello") -> bytes:
    return OK + b"Content-Length: " + value + b"\r\n\r\n" + body


BODY_LENGTH: tuple[Case, ...] = (
    make_case("`Content-Length`", HELLO, accept()),
    make_case("`Content-Length: 0`", _with_length(b"0", b""), accept(b"")),
    make_case("a `Content-Length` with leading zeros", _with_length(b"0005"), accept()),
    make_case(
        "a `Content-Length` with whitespace around the value", _with_length(b" \t5 \t"), accept()
    ),
    make_case(
        "no length; the server closes the connection after the body",
        OK + b"\r\nhello",
        accept_then_close(),
        then=close,
    ),
    make_case(
        "no length and no body; the server closes the connection",
        OK + b"\r\n",
        accept_then_close(b""),
        then=close,
    ),
    make_case(
        "`Connection: close` and `Content-Length`",
        OK + b"Connection: close\r\n" + HELLO[17:],
        accept_then_close(),
    ),
    make_case(
        "`Connection: x, CLOSE` and `Content-Length`",
        OK + b"Connection: x, CLOSE\r\n" + HELLO[17:],
        accept_then_close(),
    ),
    make_case(
        "two `Connection` fields, one of them `close`",
        OK + b"Connection: keep-alive\r\nConnection: close\r\n" + HELLO[17:],
        accept_then_close(),
    ),
    make_case(
        "200 with an unrequested `Upgrade`",
        OK + b"Connection: upgrade\r\nUpgrade: x\r\n" + HELLO[17:],
        accept(),
    ),
    make_case("HEAD: `Content-Length`, no body", _with_length(b"500", b""), accept(b""), call=HEAD),
    make_case(
        "HEAD: `Transfer-Encoding: chunked`, no body",
        OK + _CHUNKED + b"\r\n",
        accept(b""),
        call=HEAD,
    ),
    make_case("HEAD: no length, no body", OK + b"\r\n", accept(b""), call=HEAD),
    make_case(
        "HEAD: a response with a body",
        HELLO,
        accept_then_close(b""),
        accept_then_poison(b""),
        _LEFTOVER,
        call=HEAD,
    ),
    make_case("204 without `Content-Length`", b"HTTP/1.1 204 No\r\n\r\n", accept(b"", status=204)),
    make_case(
        "204 with `Content-Length` and no body",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
        accept(b"", status=204),
    ),
    make_case(
        "204 with a body",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
        accept_then_close(b"", status=204),
        accept_then_poison(b"", status=204),
        _LEFTOVER,
    ),
    make_case(
        "204 with a chunked body",
        b"HTTP/1.1 204 No\r\n" + _CHUNKED + b"\r\n0\r\n\r\n",
        accept_then_close(b"", status=204),
        accept_then_poison(b"", status=204),
        _LEFTOVER,
    ),
    make_case("304 without `Content-Length`", b"HTTP/1.1 304 No\r\n\r\n", accept(b"", status=304)),
    make_case(
        "304 with `Content-Length` and no body",
        b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",
        accept(b"", status=304),
    ),
    make_case(
        "304 with a body",
        b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello",
        accept_then_close(b"", status=304),
        accept_then_poison(b"", status=304),
        _LEFTOVER,
    ),
    make_case("205 with a body", b"HTTP/1.1 205 No\r\n" + HELLO[17:], accept(status=205)),
    make_case(
        "`Transfer-Encoding: chunked`, then `Content-Length`",
        OK + _CHUNKED + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
        accept(),
        _AMBIGUOUS,
    ),
    make_case(
        "`Content-Length`, then `Transfer-Encoding: chunked`",
        OK + b"Content-Length: 5\r\n" + _CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
        accept(),
        _AMBIGUOUS,
    ),
    make_case(
        "two different `Content-Length` fields",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        PROTOCOL_ERROR,
    ),
    make_case(
        "two equal `Content-Length` fields",
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        PROTOCOL_ERROR,
        accept(),
        _DUPLICATE,
    ),
    make_case(
        "`Content-Length: 5, 5`", _with_length(b"5, 5"), PROTOCOL_ERROR, accept(), _DUPLICATE
    ),
    make_case("`Content-Length: 5, 6`", _with_length(b"5, 6"), PROTOCOL_ERROR),
    make_case("a negative `Content-Length`", _with_length(b"-5"), PROTOCOL_ERROR),
    make_case("a `Content-Length` with a plus sign", _with_length(b"+5"), PROTOCOL_ERROR),
    make_case("a hexadecimal `Content-Length`", _with_length(b"0x5"), PROTOCOL_ERROR),
    make_case("a `Content-Length` with an underscore", _with_length(b"0_5"), PROTOCOL_ERROR),
    make_case("a fractional `Content-Length`", _with_length(b"5.0"), PROTOCOL_ERROR),
    make_case("a `Content-Length` that is a word", _with_length(b"five"), PROTOCOL_ERROR),
    make_case(
        "a `Content-Length` in Arabic-Indic digits", _with_length("\u0665".encode()), PROTOCOL_ERROR
    ),
    make_case("an empty `Content-Length`", _with_length(b""), PROTOCOL_ERROR),
    make_case(
        "a `Content-Length` of 2^64",
        _with_length(b"18446744073709551616"),
        PROTOCOL_ERROR,
        READ_TIMEOUT,
        "httpx accepts the number and waits for that many bytes",
        call=Call(timeout=0.05),
    ),
    make_case("a `Content-Length` of 30 digits", _with_length(b"9" * 30), PROTOCOL_ERROR),
    make_case(
        "a `Content-Length` with 30 leading zeros", _with_length(b"0" * 30 + b"5"), PROTOCOL_ERROR
    ),
    make_case(
        "`Transfer-Encoding: gzip, chunked`",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "`Transfer-Encoding: chunked, gzip`",
        OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nhello",
        PROTOCOL_ERROR,
        then=close,
    ),
    make_case(
        "`Transfer-Encoding: identity`",
        OK + b"Transfer-Encoding: identity\r\n\r\nhello",
        PROTOCOL_ERROR,
        then=close,
    ),
    make_case(
        "two `Transfer-Encoding: chunked` fields",
        OK + _CHUNKED * 2 + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "`Transfer-Encoding: chunked, chunked`",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "`Transfer-Encoding: chunked;q=1`",
        OK + b"Transfer-Encoding: chunked;q=1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "`Transfer-Encoding: xchunked`",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "`Transfer-Encoding: chunked` and a trailing tab",
        OK + b"Transfer-Encoding: chunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
        accept(),
        "some parsers read it as a coding other than `chunked`",
    ),
    make_case(
        "`Transfer-Encoding: chunked` and a trailing space",
        OK + b"Transfer-Encoding: chunked \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        accept(),
    ),
    make_case(
        "`Transfer-Encoding: Chunked`",
        OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        accept(),
    ),
    make_case(
        "an empty `Transfer-Encoding`",
        OK + b"Transfer-Encoding:\r\n\r\nhello",
        PROTOCOL_ERROR,
        then=close,
    ),
    make_case(
        "a chunked body in HTTP/1.0",
        b"HTTP/1.0 200 OK\r\n" + _CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        PROTOCOL_ERROR,
        accept_then_close(),
        "HTTP/1.0 has no chunked coding, so the framing is faulty (RFC 9112, 6.1)",
    ),
)
