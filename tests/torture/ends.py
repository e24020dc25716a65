"""Answers that break off, come slowly, or never."""

from tests.gateway.transport.scripted_server import HELLO, OK, Peer
from tests.torture.case import (
    BROKEN,
    LATE,
    REFUSED,
    Asked,
    Case,
    case,
    close,
    last,
    reset,
    whole,
)
from tests.torture.chunks import CHUNKED
from tests.torture.host import settled

_SHORT = Asked(patience=0.01)
_CHUNK_BY_CHUNK = CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"
_PLACES = {
    "before the status line": b"",
    "in the status line": b"HTTP/1.1 2",
    "in a field": OK + b"Content-Le",
    "after the head": OK + b"Content-Length: 5\r\n\r\n",
    "in the body": OK + b"Content-Length: 5\r\n\r\nhel",
    "in a chunk's size": CHUNKED + b"5",
    "in a chunk": CHUNKED + b"5\r\nhel",
    "after a chunk": CHUNKED + b"5\r\nhello",
    "in the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "in a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nX-S",
}


async def _closed_at_once(peer: Peer) -> None:
    peer.writer.write_eof()
    await peer.gone()


async def _reset_at_once(peer: Peer) -> None:
    peer.reset()


async def _byte_by_byte(peer: Peer) -> None:
    await peer.request()
    for byte in _CHUNK_BY_CHUNK:
        peer.send(bytes([byte]))
        await settled()


async def _closed_in_part(peer: Peer) -> None:
    await peer.request()
    peer.send(HELLO)
    peer.writer.write_eof()
    await peer.gone()


async def _answered_early(peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    await peer.drip([_TOO_LARGE])
    await peer.reader.readexactly(len(_LARGE.content))


async def _answered_early_and_closed(peer: Peer) -> None:
    await peer.reader.readuntil(b"\r\n\r\n")
    await peer.drip([_TOO_LARGE])
    await settled()
    peer.writer.close()


_LARGE = Asked("POST", b"a" * 8_000_000)
_ENOUGH = "the service has said what it thinks; ours stops sending and reads it"
_TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello"

ENDS: tuple[Case, ...] = (
    *(case(f"a close {place}", sent, REFUSED, then=close) for place, sent in _PLACES.items()),
    *(case(f"a reset {place}", sent, BROKEN, then=reset) for place, sent in _PLACES.items()),
    *(case(f"silence {place}", sent, LATE, asked=_SHORT) for place, sent in _PLACES.items()),
    case("a reset in a body up to the close", OK + b"\r\nhel", BROKEN, then=reset),
    case("silence in a body up to the close", OK + b"\r\nhel", LATE, asked=_SHORT),
    Case("a close before the request", _closed_at_once, REFUSED, sendings=0),
    Case("a reset before the request", _reset_at_once, BROKEN, sendings=0),
    case("a close after the answer", HELLO, last(), then=close),
    case("a reset after the answer", HELLO, last(), then=reset),
    Case("the server's half of the connection closed after the answer", _closed_in_part, last()),
    Case("one byte at a time", _byte_by_byte, whole()),
    Case(
        "an answer before all of the request has come",
        _answered_early,
        last(status=413),
        whole(status=413),
        _ENOUGH,
        asked=_LARGE,
        sendings=0,
    ),
    Case(
        "an answer and a close before all of the request has come",
        _answered_early_and_closed,
        last(status=413),
        BROKEN,
        _ENOUGH,
        asked=_LARGE,
        sendings=0,
    ),
)
