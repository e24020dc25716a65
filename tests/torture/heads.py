"""Cases of response heads: status lines, versions, header fields and heads that are too large."""

from tests.gateway.transport.scripted_server import HELLO, OK
from tests.torture.case import PROTOCOL_ERROR, Case, accept, accept_then_close, close, make_case

_LENGTH = b"Content-Length: 5\r\n\r\nhello"
_MEBIBYTE = 1 << 20
_CONTROL = "the grammar has no control characters (RFC 9110, 5.5), and they can corrupt a log"
_NO_SUCH_VERSION = "no such version uses HTTP/1.1 framing"
_FOLDED = "line folding is obsolete (RFC 9112, 5.2), and some parsers see a second field instead"
_BARE_LF = "a parser that requires CRLF sees one line where httpx sees two"
_LIMITED = "Lockgate limits a head to 128 fields and 64 KiB"


def _with_status_line(line: bytes) -> bytes:
    return line + b"\r\n" + _LENGTH


def _with_field(line: bytes) -> bytes:
    return OK + line + b"\r\n" + _LENGTH


STATUS_LINES: tuple[Case, ...] = (
    make_case("no reason phrase", _with_status_line(b"HTTP/1.1 200 "), accept()),
    make_case(
        "no reason phrase and no space before it", _with_status_line(b"HTTP/1.1 200"), accept()
    ),
    make_case("a reason phrase in Latin-1", _with_status_line(b"HTTP/1.1 200 \xe9t\xe9"), accept()),
    make_case("a tab in the reason phrase", _with_status_line(b"HTTP/1.1 200 O\tK"), accept()),
    make_case(
        "a NUL in the reason phrase", _with_status_line(b"HTTP/1.1 200 O\0K"), PROTOCOL_ERROR
    ),
    make_case(
        "a control character in the reason phrase",
        _with_status_line(b"HTTP/1.1 200 O\x01K"),
        PROTOCOL_ERROR,
        accept(),
        _CONTROL,
    ),
    make_case(
        "a bare CR in the reason phrase", _with_status_line(b"HTTP/1.1 200 O\rK"), PROTOCOL_ERROR
    ),
    make_case(
        "a reason phrase of 1 MiB",
        _with_status_line(b"HTTP/1.1 200 " + b"a" * _MEBIBYTE),
        PROTOCOL_ERROR,
    ),
    make_case("a status line in lower case", _with_status_line(b"http/1.1 200 ok"), PROTOCOL_ERROR),
    make_case(
        "a space before the status line", _with_status_line(b" HTTP/1.1 200 OK"), PROTOCOL_ERROR
    ),
    make_case("an empty line before the status line", b"\r\n" + HELLO, PROTOCOL_ERROR),
    make_case("1 MiB of empty lines", b"\r\n" * (_MEBIBYTE // 2) + HELLO, PROTOCOL_ERROR),
    make_case(
        "two spaces before the status code", _with_status_line(b"HTTP/1.1  200 OK"), PROTOCOL_ERROR
    ),
    make_case(
        "a tab before the status code", _with_status_line(b"HTTP/1.1\t200 OK"), PROTOCOL_ERROR
    ),
    make_case("no status code", _with_status_line(b"HTTP/1.1 OK"), PROTOCOL_ERROR),
    make_case("a status code of two digits", _with_status_line(b"HTTP/1.1 20 OK"), PROTOCOL_ERROR),
    make_case(
        "a status code of four digits", _with_status_line(b"HTTP/1.1 1000 OK"), PROTOCOL_ERROR
    ),
    make_case("status code 000", _with_status_line(b"HTTP/1.1 000 OK"), PROTOCOL_ERROR),
    make_case("status code 099", _with_status_line(b"HTTP/1.1 099 OK"), PROTOCOL_ERROR),
    make_case(
        "status code 099, then a response",
        b"HTTP/1.1 099 OK\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case("status code 600", _with_status_line(b"HTTP/1.1 600 OK"), accept(status=600)),
    make_case("status code 999", _with_status_line(b"HTTP/1.1 999 OK"), accept(status=999)),
    make_case("a hexadecimal status code", _with_status_line(b"HTTP/1.1 0xc8 OK"), PROTOCOL_ERROR),
    make_case(
        "HTTP/1.0 with `Content-Length`", _with_status_line(b"HTTP/1.0 200 OK"), accept_then_close()
    ),
    make_case(
        "HTTP/1.0 without a length; the server closes the connection",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        accept_then_close(),
        then=close,
    ),
    make_case(
        "HTTP/1.0 with `Connection: keep-alive`",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + _LENGTH,
        accept(),
        accept_then_close(),
        "RFC 9112 (9.3) allows the connection to be reused",
    ),
    make_case("HTTP/0.9: a body without a head", b"hello", PROTOCOL_ERROR, then=close),
    make_case(
        "HTTP/0.9 in a status line",
        _with_status_line(b"HTTP/0.9 200 OK"),
        PROTOCOL_ERROR,
        accept_then_close(),
        _NO_SUCH_VERSION,
    ),
    make_case(
        "HTTP/1.2 in a status line",
        _with_status_line(b"HTTP/1.2 200 OK"),
        PROTOCOL_ERROR,
        accept(),
        _NO_SUCH_VERSION,
    ),
    make_case("HTTP/1.10 in a status line", _with_status_line(b"HTTP/1.10 200 OK"), PROTOCOL_ERROR),
    make_case(
        "HTTP/2.0 in a status line",
        _with_status_line(b"HTTP/2.0 200 OK"),
        PROTOCOL_ERROR,
        accept(),
        _NO_SUCH_VERSION,
    ),
    make_case("HTTP/3 in a status line", _with_status_line(b"HTTP/3 200 OK"), PROTOCOL_ERROR),
    make_case("the HTTP/2 connection preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PROTOCOL_ERROR),
    make_case("an HTTP/2 SETTINGS frame", b"\0\0\0\x04\0\0\0\0\0", PROTOCOL_ERROR, then=close),
    make_case("an RTSP status line", _with_status_line(b"RTSP/1.0 200 OK"), PROTOCOL_ERROR),
    make_case("an ICE status line", _with_status_line(b"ICE/1.0 200 OK"), PROTOCOL_ERROR),
    make_case("an HTTP request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PROTOCOL_ERROR),
    make_case("an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", PROTOCOL_ERROR),
    make_case("binary noise", bytes(range(256)) * 4, PROTOCOL_ERROR),
)

FIELDS: tuple[Case, ...] = (
    make_case("a field with an empty value", _with_field(b"X:"), accept()),
    make_case("a Latin-1 value", _with_field(b"X: \xe9\xff"), accept()),
    make_case("no space after the colon", _with_field(b"X:y"), accept()),
    make_case(
        "a folded field value (obs-fold)",
        _with_field(b"X: a\r\n b"),
        PROTOCOL_ERROR,
        accept(),
        _FOLDED,
    ),
    make_case(
        "a field value folded with a tab",
        _with_field(b"X: a\r\n\tb"),
        PROTOCOL_ERROR,
        accept(),
        _FOLDED,
    ),
    make_case("a space before the first field", _with_field(b" X: a"), PROTOCOL_ERROR),
    make_case(
        "a folded `Content-Length`",
        OK + b"Content-Length:\r\n 5\r\n\r\nhello",
        PROTOCOL_ERROR,
        accept(),
        _FOLDED,
    ),
    make_case(
        "a bare LF in place of every CRLF",
        HELLO.replace(b"\r\n", b"\n"),
        PROTOCOL_ERROR,
        accept(),
        _BARE_LF,
    ),
    make_case(
        "a bare LF after a field", OK + b"X: y\n" + _LENGTH, PROTOCOL_ERROR, accept(), _BARE_LF
    ),
    make_case(
        "a bare LF after the status line",
        b"HTTP/1.1 200 OK\n" + _LENGTH,
        PROTOCOL_ERROR,
        accept(),
        _BARE_LF,
    ),
    make_case(
        "a bare LF after the head",
        OK + b"Content-Length: 5\r\n\nhello",
        PROTOCOL_ERROR,
        accept(),
        _BARE_LF,
    ),
    make_case("a bare CR in a value", _with_field(b"X: a\rb"), PROTOCOL_ERROR),
    make_case(
        "a bare CR before a `Content-Length`",
        OK + b"X: a\rContent-Length: 3\r\n" + _LENGTH,
        PROTOCOL_ERROR,
    ),
    make_case("two CRs before an LF", OK + b"X: a\r\r\n" + _LENGTH, PROTOCOL_ERROR),
    make_case("a NUL in a value", _with_field(b"X: a\0b"), PROTOCOL_ERROR),
    make_case("a NUL in a name", _with_field(b"X\0: a"), PROTOCOL_ERROR),
    make_case(
        "a control character in a value",
        _with_field(b"X: a\x01b"),
        PROTOCOL_ERROR,
        accept(),
        _CONTROL,
    ),
    make_case("a DEL in a value", _with_field(b"X: a\x7fb"), PROTOCOL_ERROR, accept(), _CONTROL),
    make_case("a space before the colon", _with_field(b"X : y"), PROTOCOL_ERROR),
    make_case(
        "a space before the colon of `Content-Length`",
        OK + b"Content-Length : 5\r\n\r\nhello",
        PROTOCOL_ERROR,
    ),
    make_case("a space in a name", _with_field(b"X Y: z"), PROTOCOL_ERROR),
    make_case("a name that is not a token", _with_field(b"X(y): z"), PROTOCOL_ERROR),
    make_case("a Latin-1 name", _with_field(b"X\xe9: z"), PROTOCOL_ERROR),
    make_case("a field with an empty name", _with_field(b": z"), PROTOCOL_ERROR),
    make_case("a field without a colon", _with_field(b"X"), PROTOCOL_ERROR),
    make_case("128 fields, the maximum", OK + b"X: y\r\n" * 127 + _LENGTH, accept()),
    make_case("129 fields", OK + b"X: y\r\n" * 128 + _LENGTH, PROTOCOL_ERROR, accept(), _LIMITED),
    make_case(
        "64 KiB of fields",
        OK + (b"X: " + b"a" * 1_024 + b"\r\n") * 64 + _LENGTH,
        PROTOCOL_ERROR,
        accept(),
        _LIMITED,
    ),
    make_case("a field value of 1 MiB", _with_field(b"X: " + b"a" * _MEBIBYTE), PROTOCOL_ERROR),
    make_case("a field name of 1 MiB", _with_field(b"a" * _MEBIBYTE + b": x"), PROTOCOL_ERROR),
    make_case(
        "1 MiB of fields without an end", OK + b"X: y\r\n" * (_MEBIBYTE // 6), PROTOCOL_ERROR
    ),
)
