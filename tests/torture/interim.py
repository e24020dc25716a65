"""Interim answers (1xx) before the answer, or instead of one."""

from tests.gateway.transport.scripted_server import HELLO
from tests.torture.case import BROKEN, LATE, REFUSED, Asked, Case, case, close, reset, whole

_FRAMED = "it must not say that it has a body (RFC 9110, 8.6), and some readers wait for one"


def _interim(status: int, *fields: bytes) -> bytes:
    return b"HTTP/1.1 %d Wait\r\n" % status + b"".join(f + b"\r\n" for f in fields) + b"\r\n"


INTERIM: tuple[Case, ...] = (
    case("100", _interim(100) + HELLO, whole()),
    case("102", _interim(102) + HELLO, whole()),
    case("103", _interim(103, b"Link: </a>") + HELLO, whole()),
    case("199, which nobody has defined", _interim(199) + HELLO, whole()),
    case("several", _interim(100) + _interim(102) * 3 + _interim(103) * 3 + HELLO, whole()),
    case("a hundred", _interim(103) * 100 + HELLO, whole()),
    case(
        "100 kB of them",
        _interim(103) * 4_600 + HELLO,
        REFUSED,
        whole(),
        "what is no answer may be 64 KiB long, not endless",
    ),
    case("101 nobody asked for", _interim(101) + HELLO, REFUSED),
    case(
        "101 with an upgrade", _interim(101, b"Connection: upgrade", b"Upgrade: x") + b"x", REFUSED
    ),
    case(
        "100 with a length, and the answer",
        _interim(100, b"Content-Length: 5") + HELLO,
        REFUSED,
        whole(),
        _FRAMED,
    ),
    case(
        "100 that names chunks, and the answer",
        _interim(100, b"Transfer-Encoding: chunked") + HELLO,
        REFUSED,
        whole(),
        _FRAMED,
    ),
    case("100 with a body", _interim(100, b"Content-Length: 5") + b"hello" + HELLO, REFUSED),
    case(
        "199 with a body",
        _interim(199, b"Content-Length: 5") + b"hello" + HELLO,
        REFUSED,
    ),
    case(
        "100 with chunks",
        _interim(100, b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + HELLO,
        REFUSED,
    ),
    case(
        "103 that closes",
        _interim(103, b"Connection: close") + HELLO,
        REFUSED,
        whole(),
        "it says that nothing more comes over this connection",
    ),
    case(
        "100 in HTTP/1.0",
        _interim(100).replace(b"1.1", b"1.0") + HELLO,
        REFUSED,
        whole(),
        "HTTP/1.0 has no interim answers (RFC 9110, 15.2)",
    ),
    case("100 that keeps alive", _interim(100, b"Connection: keep-alive") + HELLO, whole()),
    case("an empty line after 100", _interim(100) + b"\r\n" + HELLO, REFUSED),
    case("half of one", _interim(103)[:-4], REFUSED, then=close),
    case("one and no answer", _interim(103), REFUSED, then=close),
    case("one and a reset", _interim(103), BROKEN, then=reset),
    case("one and silence", _interim(103), LATE, asked=Asked(patience=0.01)),
)
