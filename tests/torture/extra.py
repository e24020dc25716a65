"""More than an answer: bytes after it, at once or later."""

from tests.gateway.transport.scripted_server import HELLO, OK, Peer, Script
from tests.torture.case import HEAD, Case, Outcome, case, last, poisoned, whole
from tests.torture.chunks import CHUNKED
from tests.torture.host import settled

_SECOND = OK + b"Content-Length: 4\r\n\r\nevil"
_CHUNKS = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
_LEFT_OVER = "it answers nobody; httpx gives it to the next caller, who may be another user"
_POISONED = poisoned()


def _later(sent: bytes, extra: bytes) -> Script:
    async def does(peer: Peer) -> None:
        await peer.request()
        peer.send(sent)
        await settled()
        peer.send(extra)

    return does


def _both(name: str, sent: bytes, extra: bytes, theirs: Outcome = _POISONED) -> tuple[Case, Case]:
    at_once = f"{name}, in one segment"
    return (
        case(at_once, sent + extra, last(), theirs, _LEFT_OVER if theirs != last() else ""),
        Case(f"{name}, later", _later(sent, extra), last()),
    )


EXTRA: tuple[Case, ...] = (
    *_both("a second answer", HELLO, _SECOND),
    *_both("a second answer after chunks", _CHUNKS, _SECOND),
    *_both("half a second answer", HELLO, _SECOND[:20]),
    *_both("one byte more than the length says", HELLO, b"!"),
    *_both("NUL", HELLO, b"\0"),
    *_both("an empty line", HELLO, b"\r\n"),
    *_both("an empty line after chunks", _CHUNKS, b"\r\n"),
    *_both("half an empty line after chunks", _CHUNKS, b"\r"),
    *_both("a second last chunk", _CHUNKS, b"0\r\n\r\n"),
    *_both("an interim answer", HELLO, b"HTTP/1.1 103 Early Hints\r\n\r\n", whole()),
    *_both("a time-out", HELLO, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
    *_both("a megabyte", HELLO, b"a" * (1 << 20), last()),
    case(
        "HEAD: the first chunk's size",
        CHUNKED + b"5",
        last(b""),
        poisoned(b""),
        _LEFT_OVER,
        asked=HEAD,
    ),
    case(
        "HEAD: an empty line",
        OK + b"Content-Length: 0\r\n\r\n\r\n",
        last(b""),
        poisoned(b""),
        _LEFT_OVER,
        asked=HEAD,
    ),
    case(
        "204: an empty line",
        b"HTTP/1.1 204 No\r\n\r\n\r\n",
        last(b"", status=204),
        poisoned(b"", status=204),
        _LEFT_OVER,
    ),
    case(
        "HEAD: a second answer",
        OK + b"Content-Length: 5\r\n\r\n" + _SECOND,
        last(b""),
        poisoned(b""),
        _LEFT_OVER,
        asked=HEAD,
    ),
    case(
        "204: a second answer",
        b"HTTP/1.1 204 No\r\n\r\n" + _SECOND,
        last(b"", status=204),
        poisoned(b"", status=204),
        _LEFT_OVER,
    ),
    case(
        "304: a second answer",
        b"HTTP/1.1 304 No\r\n\r\n" + _SECOND,
        last(b"", status=304),
        poisoned(b"", status=304),
        _LEFT_OVER,
    ),
    case(
        "bytes after an answer that closes",
        OK + b"Connection: close\r\n" + HELLO[17:] + b"!",
        last(),
    ),
)
