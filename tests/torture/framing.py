"""Where a body ends: lengths, none, two that disagree, and statuses that have no body."""

from tests.gateway.transport.scripted_server import HELLO, OK
from tests.torture.case import (
    HEAD,
    LATE,
    REFUSED,
    Asked,
    Case,
    case,
    close,
    last,
    poisoned,
    whole,
)

_CHUNKS = b"Transfer-Encoding: chunked\r\n"
_AMBIGUOUS = "two readers can place its end differently: response smuggling (RFC 9112, 6.3)"
_LEFT_OVER = "what is left over answers nobody; httpx gives it to the next caller"
_TWICE = "two hands have written it, and may next time disagree; RFC 9110 (8.6) lets us refuse"


def _length(value: bytes, body: bytes = b"hello") -> bytes:
    return OK + b"Content-Length: " + value + b"\r\n\r\n" + body


FRAMING: tuple[Case, ...] = (
    case("a length", HELLO, whole()),
    case("a length of 0", _length(b"0", b""), whole(b"")),
    case("a length with zeros before it", _length(b"0005"), whole()),
    case("a length with white space around it", _length(b" \t5 \t"), whole()),
    case("a body up to the close", OK + b"\r\nhello", last(), then=close),
    case("an empty body up to the close", OK + b"\r\n", last(b""), then=close),
    case("`Connection: close` and a length", OK + b"Connection: close\r\n" + HELLO[17:], last()),
    case("`Connection: x, CLOSE`", OK + b"Connection: x, CLOSE\r\n" + HELLO[17:], last()),
    case(
        "`Connection` twice, once with `close`",
        OK + b"Connection: keep-alive\r\nConnection: close\r\n" + HELLO[17:],
        last(),
    ),
    case(
        "an upgrade nobody asked for, with 200",
        OK + b"Connection: upgrade\r\nUpgrade: x\r\n" + HELLO[17:],
        whole(),
    ),
    case("HEAD: a length", _length(b"500", b""), whole(b""), asked=HEAD),
    case("HEAD: chunks", OK + _CHUNKS + b"\r\n", whole(b""), asked=HEAD),
    case("HEAD: no length", OK + b"\r\n", whole(b""), asked=HEAD),
    case("HEAD: a body all the same", HELLO, last(b""), poisoned(b""), _LEFT_OVER, asked=HEAD),
    case("204 without a length", b"HTTP/1.1 204 No\r\n\r\n", whole(b"", status=204)),
    case(
        "204 with a length", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", whole(b"", status=204)
    ),
    case(
        "204 with a body",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
        last(b"", status=204),
        poisoned(b"", status=204),
        _LEFT_OVER,
    ),
    case(
        "204 with chunks",
        b"HTTP/1.1 204 No\r\n" + _CHUNKS + b"\r\n0\r\n\r\n",
        last(b"", status=204),
        poisoned(b"", status=204),
        _LEFT_OVER,
    ),
    case("304 without a length", b"HTTP/1.1 304 No\r\n\r\n", whole(b"", status=304)),
    case(
        "304 with a length", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", whole(b"", status=304)
    ),
    case(
        "304 with a body",
        b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello",
        last(b"", status=304),
        poisoned(b"", status=304),
        _LEFT_OVER,
    ),
    case("205 with a body", b"HTTP/1.1 205 No\r\n" + HELLO[17:], whole(status=205)),
    case(
        "a length and chunks",
        OK + _CHUNKS + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
        whole(),
        _AMBIGUOUS,
    ),
    case(
        "chunks and a length",
        OK + b"Content-Length: 5\r\n" + _CHUNKS + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
        whole(),
        _AMBIGUOUS,
    ),
    case(
        "two lengths that differ",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        REFUSED,
    ),
    case(
        "two equal lengths",
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        REFUSED,
        whole(),
        _TWICE,
    ),
    case("a list of equal lengths", _length(b"5, 5"), REFUSED, whole(), _TWICE),
    case("a list of lengths that differ", _length(b"5, 6"), REFUSED),
    case("a negative length", _length(b"-5"), REFUSED),
    case("a length with a plus sign", _length(b"+5"), REFUSED),
    case("a hexadecimal length", _length(b"0x5"), REFUSED),
    case("a length with an underscore", _length(b"0_5"), REFUSED),
    case("a fraction for a length", _length(b"5.0"), REFUSED),
    case("no number for a length", _length(b"five"), REFUSED),
    case("digits of another script for a length", _length("\u0665".encode()), REFUSED),
    case("an empty length", _length(b""), REFUSED),
    case(
        "a length of 2^64",
        _length(b"18446744073709551616"),
        REFUSED,
        LATE,
        "so much never comes: httpx waits for it",
        asked=Asked(patience=0.05),
    ),
    case("a length of 30 digits", _length(b"9" * 30), REFUSED),
    case("a length with 30 zeros before it", _length(b"0" * 30 + b"5"), REFUSED),
    case(
        "`gzip, chunked`",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
    ),
    case(
        "`chunked, gzip`",
        OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nhello",
        REFUSED,
        then=close,
    ),
    case("`identity`", OK + b"Transfer-Encoding: identity\r\n\r\nhello", REFUSED, then=close),
    case("`chunked` twice", OK + _CHUNKS * 2 + b"\r\n5\r\nhello\r\n0\r\n\r\n", REFUSED),
    case(
        "`chunked, chunked`",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
    ),
    case(
        "`chunked;q=1`",
        OK + b"Transfer-Encoding: chunked;q=1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
    ),
    case("`xchunked`", OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", REFUSED),
    case(
        "`chunked` and a tab",
        OK + b"Transfer-Encoding: chunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
        whole(),
        "some readers take it for another coding than `chunked`",
    ),
    case(
        "`chunked` and a space",
        OK + b"Transfer-Encoding: chunked \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        whole(),
    ),
    case("`Chunked`", OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", whole()),
    case(
        "an empty `Transfer-Encoding`", OK + b"Transfer-Encoding:\r\n\r\nhello", REFUSED, then=close
    ),
    case(
        "chunks in HTTP/1.0",
        b"HTTP/1.0 200 OK\r\n" + _CHUNKS + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        REFUSED,
        last(),
        "HTTP/1.0 has no chunks; who names them has two readings (RFC 9112, 6.1)",
    ),
)
