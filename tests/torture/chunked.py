"""Cases of chunked bodies: sizes, extensions and trailers, valid and invalid."""

from tests.gateway.transport.scripted_server import OK
from tests.torture.case import (
    PROTOCOL_ERROR,
    READ_TIMEOUT,
    Call,
    Case,
    accept,
    accept_then_close,
    make_case,
)

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_DATA_AND_END = b"\r\nhello\r\n0\r\n\r\n"
_MEBIBYTE = 1 << 20
_INVALID_LINE = (
    "the line is not valid in the grammar, so two parsers can read it differently (RFC 9112, 7.1)"
)
_NOT_IN_TRAILERS = (
    "the field is not allowed in a trailer (RFC 9110, 6.5.1), so the connection cannot be trusted"
)
_IGNORED_TRAILER = "the body is complete, and trailer fields do not affect how it is read"
_TOO_LARGE = "httpx accepts the number and waits for that many bytes"


def _with_size_line(line: bytes) -> bytes:
    return CHUNKED + line + _DATA_AND_END


CHUNKED_BODIES: tuple[Case, ...] = (
    make_case("two chunks", CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", accept()),
    make_case("only the last chunk", CHUNKED + b"0\r\n\r\n", accept(b"")),
    make_case(
        "hexadecimal sizes in lower and upper case",
        CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
        accept(b"0123456789" * 2),
    ),
    make_case("a size with leading zeros", _with_size_line(b"000005"), accept()),
    make_case(
        "a size with 40 leading zeros",
        _with_size_line(b"0" * 40 + b"5"),
        accept(),
        PROTOCOL_ERROR,
        "leading zeros do not change the number, and their count is limited",
    ),
    make_case("a last chunk of size `0000`", CHUNKED + b"5\r\nhello\r\n0000\r\n\r\n", accept()),
    make_case("a chunk extension", _with_size_line(b"5;a=b"), accept()),
    make_case("an extension without a value", _with_size_line(b"5;a"), accept()),
    make_case("a quoted extension with a semicolon in it", _with_size_line(b'5;a=";"'), accept()),
    make_case("an extension on the last chunk", CHUNKED + b"5\r\nhello\r\n0;a=b\r\n\r\n", accept()),
    make_case("whitespace before an extension", _with_size_line(b"5 ;a=b"), PROTOCOL_ERROR),
    make_case(
        "a space after a size", _with_size_line(b"5 "), PROTOCOL_ERROR, accept(), _INVALID_LINE
    ),
    make_case(
        "a tab after a size", _with_size_line(b"5\t"), PROTOCOL_ERROR, accept(), _INVALID_LINE
    ),
    make_case("a space before a size", _with_size_line(b" 5"), PROTOCOL_ERROR),
    make_case(
        "a semicolon without an extension",
        _with_size_line(b"5;"),
        PROTOCOL_ERROR,
        accept(),
        _INVALID_LINE,
    ),
    # The grammar has none of these, but every parser reads the same size and skips the rest.
    make_case("an extension with a value but no name", _with_size_line(b"5;=b"), accept()),
    make_case("an extension with a name, `=` and no value", _with_size_line(b"5;a="), accept()),
    make_case("an extension that is only `=`", _with_size_line(b"5;="), accept()),
    make_case("two semicolons before an extension", _with_size_line(b"5;;a"), accept()),
    make_case(
        "an extension value that is a token followed by a quoted string",
        _with_size_line(b'5;a=b";"'),
        accept(),
    ),
    make_case(
        "an extension with an unterminated quoted string",
        _with_size_line(b'5;a="b'),
        PROTOCOL_ERROR,
        accept(),
        _INVALID_LINE,
    ),
    make_case("a bare LF in an extension", _with_size_line(b"5;a\nb"), PROTOCOL_ERROR),
    make_case(
        "a bare CR in an extension",
        _with_size_line(b"5;a\rb"),
        PROTOCOL_ERROR,
        accept(),
        _INVALID_LINE,
    ),
    make_case(
        "NUL in an extension", _with_size_line(b"5;a\0b"), PROTOCOL_ERROR, accept(), _INVALID_LINE
    ),
    make_case("a trailer field", CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", accept()),
    make_case(
        "a `Content-Length` trailer field",
        CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
        PROTOCOL_ERROR,
        accept(),
        "a trailer must not contain message framing (RFC 9110, 6.5.1)",
    ),
    make_case(
        "a `Transfer-Encoding: chunked` trailer field",
        CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        accept_then_close(),
        accept(),
        _NOT_IN_TRAILERS,
    ),
    make_case(
        "a `Connection: close` trailer field",
        CHUNKED + b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n",
        accept_then_close(),
        accept(),
        _NOT_IN_TRAILERS,
    ),
    make_case(
        "a `Transfer-Encoding: x` trailer field",
        CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n",
        accept_then_close(),
        PROTOCOL_ERROR,
        _IGNORED_TRAILER,
    ),
    make_case(
        "a trailer field without a colon", CHUNKED + b"5\r\nhello\r\n0\r\nX\r\n\r\n", PROTOCOL_ERROR
    ),
    make_case(
        "a trailer field with a space in its name",
        CHUNKED + b"5\r\nhello\r\n0\r\nX Y: z\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case("a size that is not hexadecimal", _with_size_line(b"zz"), PROTOCOL_ERROR),
    make_case("a size with the prefix `0x`", _with_size_line(b"0x5"), PROTOCOL_ERROR),
    make_case("a negative size", _with_size_line(b"-5"), PROTOCOL_ERROR),
    make_case("a size with a plus sign", _with_size_line(b"+5"), PROTOCOL_ERROR),
    make_case("a size with an underscore", _with_size_line(b"0_5"), PROTOCOL_ERROR),
    make_case("an empty size", _with_size_line(b""), PROTOCOL_ERROR),
    make_case(
        "a size above 2^64",
        _with_size_line(b"f" * 17),
        PROTOCOL_ERROR,
        READ_TIMEOUT,
        _TOO_LARGE,
        call=Call(timeout=0.05),
    ),
    make_case(
        "a size that overflows 64 bits to 5",
        _with_size_line(b"10000000000000005"),
        PROTOCOL_ERROR,
        READ_TIMEOUT,
        _TOO_LARGE,
        call=Call(timeout=0.05),
    ),
    make_case("no CRLF after the chunk data", CHUNKED + b"5\r\nhello0\r\n\r\n", PROTOCOL_ERROR),
    make_case(
        "`XX` in place of the CRLF after the chunk data",
        CHUNKED + b"5\r\nhelloXX0\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case("a bare LF after the chunk data", CHUNKED + b"5\r\nhello\n0\r\n\r\n", PROTOCOL_ERROR),
    make_case("a bare LF after a size", CHUNKED + b"5\nhello\r\n0\r\n\r\n", PROTOCOL_ERROR),
    make_case(
        "a bare LF at the end of the trailer section",
        CHUNKED + b"5\r\nhello\r\n0\r\n\n",
        PROTOCOL_ERROR,
        accept(),
        _INVALID_LINE,
    ),
    make_case(
        "chunk data longer than its size", CHUNKED + b"4\r\nhello\r\n0\r\n\r\n", PROTOCOL_ERROR
    ),
    make_case(
        "a size with 1 MiB of leading zeros",
        _with_size_line(b"0" * _MEBIBYTE + b"5"),
        PROTOCOL_ERROR,
    ),
    make_case("an extension of 1 MiB", _with_size_line(b"5;" + b"a" * _MEBIBYTE), PROTOCOL_ERROR),
    make_case(
        "1 MiB of extensions", _with_size_line(b"5" + b";a=b" * (_MEBIBYTE // 4)), PROTOCOL_ERROR
    ),
    make_case(
        "200 trailer fields",
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        PROTOCOL_ERROR,
        accept(b""),
        "Lockgate limits a response to 128 fields, trailer fields included",
    ),
    make_case(
        "a trailer field of 1 MiB",
        CHUNKED + b"0\r\nX: " + b"a" * _MEBIBYTE + b"\r\n\r\n",
        PROTOCOL_ERROR,
    ),
    make_case(
        "1 MiB of trailer fields without an end",
        CHUNKED + b"0\r\n" + b"X: y\r\n" * (_MEBIBYTE // 6),
        PROTOCOL_ERROR,
    ),
)
