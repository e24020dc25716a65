"""Status lines, versions and header fields that are none, and heads without an end."""

from tests.gateway.transport.scripted_server import HELLO, OK
from tests.torture.case import REFUSED, Case, case, close, last, whole

_LENGTH = b"Content-Length: 5\r\n\r\nhello"
_MEGABYTE = 1 << 20
_CONTROL = "no control character is part of the grammar (RFC 9110, 5.5); in a log one is an attack"
_NO_SUCH_VERSION = "no such version has this framing: who sends it means something else"
_FOLDED = "folding is gone (RFC 9112, 5.2), and readers that know it not see another field"
_BARE = "a reader that wants CRLF sees one line where this one sees two"
_BOUNDED = "a head has at most 128 fields and 64 KiB"


def _status(line: bytes) -> bytes:
    return line + b"\r\n" + _LENGTH


def _field(line: bytes) -> bytes:
    return OK + line + b"\r\n" + _LENGTH


STATUS_LINES: tuple[Case, ...] = (
    case("no reason phrase", _status(b"HTTP/1.1 200 "), whole()),
    case("no reason phrase, nor a space before it", _status(b"HTTP/1.1 200"), whole()),
    case("a reason phrase in Latin-1", _status(b"HTTP/1.1 200 \xe9t\xe9"), whole()),
    case("a tab in the reason phrase", _status(b"HTTP/1.1 200 O\tK"), whole()),
    case("NUL in the reason phrase", _status(b"HTTP/1.1 200 O\0K"), REFUSED),
    case(
        "a control character in the reason phrase",
        _status(b"HTTP/1.1 200 O\x01K"),
        REFUSED,
        whole(),
        _CONTROL,
    ),
    case("a bare CR in the reason phrase", _status(b"HTTP/1.1 200 O\rK"), REFUSED),
    case("a reason phrase of a megabyte", _status(b"HTTP/1.1 200 " + b"a" * _MEGABYTE), REFUSED),
    case("a status line in lower case", _status(b"http/1.1 200 ok"), REFUSED),
    case("a space before the status line", _status(b" HTTP/1.1 200 OK"), REFUSED),
    case("an empty line before the status line", b"\r\n" + HELLO, REFUSED),
    case("a megabyte of empty lines", b"\r\n" * (_MEGABYTE // 2) + HELLO, REFUSED),
    case("two spaces before the status", _status(b"HTTP/1.1  200 OK"), REFUSED),
    case("a tab before the status", _status(b"HTTP/1.1\t200 OK"), REFUSED),
    case("no status", _status(b"HTTP/1.1 OK"), REFUSED),
    case("a status of two digits", _status(b"HTTP/1.1 20 OK"), REFUSED),
    case("a status of four digits", _status(b"HTTP/1.1 1000 OK"), REFUSED),
    case("status 000", _status(b"HTTP/1.1 000 OK"), REFUSED),
    case("status 099", _status(b"HTTP/1.1 099 OK"), REFUSED),
    case(
        "status 099 before an answer",
        b"HTTP/1.1 099 OK\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        REFUSED,
    ),
    case("status 600", _status(b"HTTP/1.1 600 OK"), whole(status=600)),
    case("status 999", _status(b"HTTP/1.1 999 OK"), whole(status=999)),
    case("a status in hexadecimal", _status(b"HTTP/1.1 0xc8 OK"), REFUSED),
    case("HTTP/1.0 with a length", _status(b"HTTP/1.0 200 OK"), last()),
    case("HTTP/1.0 up to the close", b"HTTP/1.0 200 OK\r\n\r\nhello", last(), then=close),
    case(
        "HTTP/1.0 that keeps alive",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + _LENGTH,
        whole(),
        last(),
        "RFC 9112 (9.3) lets it be used again",
    ),
    case("HTTP/0.9: the body alone", b"hello", REFUSED, then=close),
    case(
        "HTTP/0.9 in a status line", _status(b"HTTP/0.9 200 OK"), REFUSED, last(), _NO_SUCH_VERSION
    ),
    case("HTTP/1.2", _status(b"HTTP/1.2 200 OK"), REFUSED, whole(), _NO_SUCH_VERSION),
    case("HTTP/1.10", _status(b"HTTP/1.10 200 OK"), REFUSED),
    case(
        "HTTP/2.0 in a status line", _status(b"HTTP/2.0 200 OK"), REFUSED, whole(), _NO_SUCH_VERSION
    ),
    case("HTTP/3", _status(b"HTTP/3 200 OK"), REFUSED),
    case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
    case("a SETTINGS frame of HTTP/2", b"\0\0\0\x04\0\0\0\0\0", REFUSED, then=close),
    case("RTSP", _status(b"RTSP/1.0 200 OK"), REFUSED),
    case("ICE", _status(b"ICE/1.0 200 OK"), REFUSED),
    case("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSED),
    case("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", REFUSED),
    case("noise", bytes(range(256)) * 4, REFUSED),
)

FIELDS: tuple[Case, ...] = (
    case("a field without a value", _field(b"X:"), whole()),
    case("a value of Latin-1", _field(b"X: \xe9\xff"), whole()),
    case("no space after the colon", _field(b"X:y"), whole()),
    case("a folded field", _field(b"X: a\r\n b"), REFUSED, whole(), _FOLDED),
    case("a field folded by a tab", _field(b"X: a\r\n\tb"), REFUSED, whole(), _FOLDED),
    case("a folded first field", _field(b" X: a"), REFUSED),
    case("a folded length", OK + b"Content-Length:\r\n 5\r\n\r\nhello", REFUSED, whole(), _FOLDED),
    case("a bare LF for every CRLF", HELLO.replace(b"\r\n", b"\n"), REFUSED, whole(), _BARE),
    case("a bare LF after a field", OK + b"X: y\n" + _LENGTH, REFUSED, whole(), _BARE),
    case(
        "a bare LF after the status line", b"HTTP/1.1 200 OK\n" + _LENGTH, REFUSED, whole(), _BARE
    ),
    case("a bare LF after the head", OK + b"Content-Length: 5\r\n\nhello", REFUSED, whole(), _BARE),
    case("a bare CR in a value", _field(b"X: a\rb"), REFUSED),
    case("a bare CR before a length", OK + b"X: a\rContent-Length: 3\r\n" + _LENGTH, REFUSED),
    case("two CR before an LF", OK + b"X: a\r\r\n" + _LENGTH, REFUSED),
    case("NUL in a value", _field(b"X: a\0b"), REFUSED),
    case("NUL in a name", _field(b"X\0: a"), REFUSED),
    case("a control character in a value", _field(b"X: a\x01b"), REFUSED, whole(), _CONTROL),
    case("DEL in a value", _field(b"X: a\x7fb"), REFUSED, whole(), _CONTROL),
    case("a space before the colon", _field(b"X : y"), REFUSED),
    case("a space before the colon of a length", OK + b"Content-Length : 5\r\n\r\nhello", REFUSED),
    case("a space in a name", _field(b"X Y: z"), REFUSED),
    case("a name that is no token", _field(b"X(y): z"), REFUSED),
    case("a name of Latin-1", _field(b"X\xe9: z"), REFUSED),
    case("a field without a name", _field(b": z"), REFUSED),
    case("a field without a colon", _field(b"X"), REFUSED),
    case("128 fields, the most there may be", OK + b"X: y\r\n" * 127 + _LENGTH, whole()),
    case("129 fields", OK + b"X: y\r\n" * 128 + _LENGTH, REFUSED, whole(), _BOUNDED),
    case(
        "64 KiB of fields",
        OK + (b"X: " + b"a" * 1_024 + b"\r\n") * 64 + _LENGTH,
        REFUSED,
        whole(),
        _BOUNDED,
    ),
    case("a field of a megabyte", _field(b"X: " + b"a" * _MEGABYTE), REFUSED),
    case("a name of a megabyte", _field(b"a" * _MEGABYTE + b": x"), REFUSED),
    case("fields without an end", OK + b"X: y\r\n" * (_MEGABYTE // 6), REFUSED),
)
