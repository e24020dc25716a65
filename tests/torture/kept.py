"""A kept connection that turns out to be closed: what is sent again, and what is not."""

from collections.abc import Callable
from dataclasses import replace

from tests.gateway.transport.scripted_server import HELLO, Peer, Script
from tests.torture.case import BROKEN, LATE, REFUSED, Asked, Case, close, last, reset

_AGAIN = "a service may close an idle connection at any time; once more is safe (RFC 9110, 9.2.2)"


def _at_sight(end: Callable[[Peer], None], sent: bytes = b"") -> Script:
    async def does(peer: Peer) -> None:
        await peer.request()
        await peer.drip([sent])
        end(peer)

    return does


def _stay(_: Peer) -> None:
    pass


def _warm(method: str) -> Asked:
    return Asked(method, b"x" if method in {"POST", "PUT", "PATCH"} else b"", warm=True)


def _sent_again(method: str, body: bytes = b"hello") -> tuple[Case, Case]:
    answer = last(body)
    return (
        Case(
            f"a close at the sight of a {method}",
            _at_sight(close),
            answer,
            REFUSED,
            _AGAIN,
            asked=_warm(method),
            sendings=2,
        ),
        Case(
            f"a reset at the sight of a {method}",
            _at_sight(reset),
            answer,
            BROKEN,
            _AGAIN,
            asked=_warm(method),
            sendings=2,
        ),
    )


def _not_sent_again(method: str) -> tuple[Case, Case]:
    return (
        Case(f"a close at the sight of a {method}", _at_sight(close), REFUSED, asked=_warm(method)),
        Case(f"a reset at the sight of a {method}", _at_sight(reset), BROKEN, asked=_warm(method)),
    )


def _silence(method: str) -> Case:
    name = f"silence at the sight of a {method}"
    asked = replace(_warm(method), patience=0.05)
    return Case(name, _at_sight(_stay), LATE, asked=asked)


KEPT: tuple[Case, ...] = (
    *_sent_again("GET"),
    *_sent_again("HEAD", b""),
    *_sent_again("PUT"),
    *_sent_again("DELETE"),
    *_not_sent_again("POST"),
    *_not_sent_again("PATCH"),
    _silence("GET"),
    _silence("PUT"),
    _silence("POST"),
    Case(
        "a close after one byte of the answer to a GET",
        _at_sight(close, b"H"),
        REFUSED,
        asked=_warm("GET"),
    ),
    Case(
        "a close after an interim answer to a GET",
        _at_sight(close, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        REFUSED,
        asked=_warm("GET"),
    ),
    Case(
        "a close in the body of the answer to a GET",
        _at_sight(close, HELLO[:-1]),
        REFUSED,
        asked=_warm("GET"),
    ),
)
