"""Bodies in chunks: sizes, extensions, trailers, and what is wrong with them."""

from tests.gateway.transport.scripted_server import OK
from tests.torture.case import LATE, REFUSED, Asked, Case, case, last, whole

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_END = b"\r\nhello\r\n0\r\n\r\n"
_MEGABYTE = 1 << 20
_GRAMMAR = "the grammar has no such size line; what one reader forgives, another reads differently"
_TRAILER = "a trailer must not say it (RFC 9110, 6.5.1); who does may mean it"
_REFUSED_TRAILER = "the body is whole by then, and nothing is read by what a trailer says"
_NEVER = "so much never comes: httpx waits for it"


def _size(line: bytes) -> bytes:
    return CHUNKED + line + _END


CHUNKS: tuple[Case, ...] = (
    case("two chunks", CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", whole()),
    case("no chunk but the last", CHUNKED + b"0\r\n\r\n", whole(b"")),
    case(
        "sizes in both cases",
        CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
        whole(b"0123456789" * 2),
    ),
    case("a size with zeros before it", _size(b"000005"), whole()),
    case(
        "a size with 40 zeros before it",
        _size(b"0" * 40 + b"5"),
        whole(),
        REFUSED,
        "zeros change no number, and how many there may be is bounded",
    ),
    case("a last chunk of several zeros", CHUNKED + b"5\r\nhello\r\n0000\r\n\r\n", whole()),
    case("an extension", _size(b"5;a=b"), whole()),
    case("an extension without a value", _size(b"5;a"), whole()),
    case("a quoted extension with a semicolon in it", _size(b'5;a=";"'), whole()),
    case("an extension on the last chunk", CHUNKED + b"5\r\nhello\r\n0;a=b\r\n\r\n", whole()),
    case("white space before an extension", _size(b"5 ;a=b"), REFUSED),
    case("white space after a size", _size(b"5 "), REFUSED, whole(), _GRAMMAR),
    case("a tab after a size", _size(b"5\t"), REFUSED, whole(), _GRAMMAR),
    case("white space before a size", _size(b" 5"), REFUSED),
    case("an extension without a name", _size(b"5;"), REFUSED, whole(), _GRAMMAR),
    # The grammar has none of these, but every reader sees the same size, and skips the rest.
    case("an extension with a value and no name", _size(b"5;=b"), whole()),
    case("an extension with a name and no value", _size(b"5;a="), whole()),
    case("an extension that is nothing but a sign", _size(b"5;="), whole()),
    case("an extension that is not there", _size(b"5;;a"), whole()),
    case("an extension that is a word and a quotation", _size(b'5;a=b";"'), whole()),
    case("an extension with an open quote", _size(b'5;a="b'), REFUSED, whole(), _GRAMMAR),
    case("a bare LF in an extension", _size(b"5;a\nb"), REFUSED),
    case("a bare CR in an extension", _size(b"5;a\rb"), REFUSED, whole(), _GRAMMAR),
    case("NUL in an extension", _size(b"5;a\0b"), REFUSED, whole(), _GRAMMAR),
    case("a trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", whole()),
    case(
        "a trailer that names a length",
        CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
        REFUSED,
        whole(),
        "a trailer must not say where a body ends (RFC 9110, 6.5.1)",
    ),
    case(
        "a trailer that names chunks",
        CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        last(),
        whole(),
        _TRAILER,
    ),
    case(
        "a trailer that closes",
        CHUNKED + b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n",
        last(),
        whole(),
        _TRAILER,
    ),
    case(
        "a trailer that names another coding",
        CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n",
        last(),
        REFUSED,
        _REFUSED_TRAILER,
    ),
    case("a trailer without a colon", CHUNKED + b"5\r\nhello\r\n0\r\nX\r\n\r\n", REFUSED),
    case(
        "a trailer with a space in its name",
        CHUNKED + b"5\r\nhello\r\n0\r\nX Y: z\r\n\r\n",
        REFUSED,
    ),
    case("a size that is no number", _size(b"zz"), REFUSED),
    case("a hexadecimal size with 0x", _size(b"0x5"), REFUSED),
    case("a negative size", _size(b"-5"), REFUSED),
    case("a size with a plus sign", _size(b"+5"), REFUSED),
    case("a size with an underscore", _size(b"0_5"), REFUSED),
    case("no size", _size(b""), REFUSED),
    case("a size above 2^64", _size(b"f" * 17), REFUSED, LATE, _NEVER, asked=Asked(patience=0.05)),
    case(
        "a size that wraps to 5",
        _size(b"10000000000000005"),
        REFUSED,
        LATE,
        _NEVER,
        asked=Asked(patience=0.05),
    ),
    case("no CRLF after a chunk", CHUNKED + b"5\r\nhello0\r\n\r\n", REFUSED),
    case("other bytes for the CRLF after a chunk", CHUNKED + b"5\r\nhelloXX0\r\n\r\n", REFUSED),
    case("a bare LF after a chunk", CHUNKED + b"5\r\nhello\n0\r\n\r\n", REFUSED),
    case("a bare LF after a size", CHUNKED + b"5\nhello\r\n0\r\n\r\n", REFUSED),
    case("a bare LF at the end", CHUNKED + b"5\r\nhello\r\n0\r\n\n", REFUSED, whole(), _GRAMMAR),
    case("a chunk longer than its size", CHUNKED + b"4\r\nhello\r\n0\r\n\r\n", REFUSED),
    case("a size line of a megabyte of zeros", _size(b"0" * _MEGABYTE + b"5"), REFUSED),
    case("an extension of a megabyte", _size(b"5;" + b"a" * _MEGABYTE), REFUSED),
    case("a megabyte of extensions", _size(b"5" + b";a=b" * (_MEGABYTE // 4)), REFUSED),
    case(
        "200 trailers",
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        REFUSED,
        whole(b""),
        "a head has at most 128 fields, and a trailer is one",
    ),
    case(
        "a trailer of a megabyte", CHUNKED + b"0\r\nX: " + b"a" * _MEGABYTE + b"\r\n\r\n", REFUSED
    ),
    case("endless trailers", CHUNKED + b"0\r\n" + b"X: y\r\n" * (_MEGABYTE // 6), REFUSED),
)
