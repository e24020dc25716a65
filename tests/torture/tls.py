"""TLS: servers that are somebody else, speak something else, or are cut off by somebody else."""

import os
import socket
import ssl
from dataclasses import replace

from tests.gateway.transport.scripted_server import HELLO, OK, Peer, Script
from tests.torture.case import (
    BROKEN,
    REFUSED,
    UNPROVEN,
    Asked,
    Case,
    Outcome,
    case,
    close,
    last,
    poisoned,
    reset,
    whole,
)
from tests.torture.chunks import CHUNKED
from tests.torture.host import settled

_HTTPS = Asked(scheme="https")
_UNTIL_CLOSE = OK + b"\r\nhello"
_ENDED = "httpx sends the next request over a connection whose end it has read"
_CUT = "a close that TLS does not announce may be an attacker's who cut it (RFC 9112, 9.8)"
_UNTOLD = (
    "asyncio's own loop does not tell this close from one that TLS announced, and the body is "
    "taken for whole; uvloop, on which the gateway runs, does"
)
_RAW = Outcome(ssl.SSLError)
_BARE = "httpx lets an error of the ssl module through, which nobody who calls it expects"


def _below(peer: Peer) -> socket.socket:
    """The TCP connection under the TLS one."""
    descriptor: int = peer.writer.get_extra_info("socket").fileno()
    return socket.socket(fileno=os.dup(descriptor))


def _cut(sent: bytes) -> Script:
    """The answer, then the end of the TCP connection with no word about it in TLS."""

    async def does(peer: Peer) -> None:
        await peer.request()
        peer.send(sent)
        await settled()
        with _below(peer) as tcp:
            tcp.shutdown(socket.SHUT_WR)

    return does


def _noise(sent: bytes) -> Script:
    """The answer, then bytes that are no TLS record."""

    async def does(peer: Peer) -> None:
        await peer.request()
        peer.send(sent)
        await settled()
        with _below(peer) as tcp:
            tcp.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    return does


def _greeting(sent: bytes) -> Script:
    """What is sent in place of the server's part in the handshake, then the close."""

    async def does(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.send(sent)
        peer.writer.write_eof()
        await peer.gone()

    return does


async def _later(peer: Peer) -> None:
    await peer.request()
    peer.send(HELLO)
    await settled()
    peer.send(HELLO)


async def _never_asked(peer: Peer) -> None:
    await peer.request()


_PROPER: tuple[Case, ...] = (
    case("an answer", HELLO, whole()),
    case(
        "a body up to the close, which TLS announces",
        _UNTIL_CLOSE,
        last(),
        poisoned(),
        _ENDED,
        then=close,
    ),
    Case(
        "a body up to a close that TLS does not announce",
        _cut(_UNTIL_CLOSE),
        REFUSED,
        last(),
        _CUT,
        bug=_UNTOLD,
    ),
    Case("such a close in a body with a length", _cut(HELLO[:-2]), REFUSED),
    Case("such a close in a chunk", _cut(CHUNKED + b"5\r\nhel"), REFUSED),
    Case("such a close in the head", _cut(OK), REFUSED),
    Case("such a close after the answer", _cut(HELLO), last()),
    Case("a second answer, later", _later, last()),
    case("a reset in the head", OK, BROKEN, then=reset),
    case("a reset in the body", HELLO[:-2], BROKEN, then=reset),
    Case("bytes that are no TLS, in the head", _noise(OK), BROKEN, _RAW, _BARE),
    Case("bytes that are no TLS, in the body", _noise(HELLO[:-2]), BROKEN, _RAW, _BARE),
    Case("bytes that are no TLS, after the answer", _noise(HELLO), last()),
)

TLS: tuple[Case, ...] = (
    *(replace(proper, server="proper") for proper in _PROPER),
    Case(
        "the certificate of another host", _never_asked, UNPROVEN, server="other host", sendings=0
    ),
    Case("an expired certificate", _never_asked, UNPROVEN, server="expired", sendings=0),
    Case("a self-signed certificate", _never_asked, UNPROVEN, server="self-signed", sendings=0),
    Case(
        "the certificate of an unknown authority",
        _never_asked,
        UNPROVEN,
        server="unknown authority",
        sendings=0,
    ),
    Case(
        "no TLS on a TLS port",
        _greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        UNPROVEN,
        asked=_HTTPS,
        sendings=0,
    ),
    Case("noise for a handshake", _greeting(bytes(range(256))), UNPROVEN, asked=_HTTPS, sendings=0),
    Case("a close in the handshake", _greeting(b""), UNPROVEN, asked=_HTTPS, sendings=0),
    Case(
        "an alert for a handshake",
        _greeting(b"\x15\x03\x03\0\x02\x02\x28"),
        UNPROVEN,
        asked=_HTTPS,
        sendings=0,
    ),
    Case(
        "TLS on a port that was asked in plain",
        _never_asked,
        REFUSED,
        asked=Asked(scheme="http"),
        server="proper",
        sendings=0,
    ),
)
