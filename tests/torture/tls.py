"""Cases of TLS: invalid certificates, failed handshakes and truncated connections."""

import os
import socket
import ssl
from dataclasses import replace

from tests.gateway.transport.scripted_server import HELLO, OK, Peer, Script
from tests.torture.case import (
    CONNECT_ERROR,
    PROTOCOL_ERROR,
    READ_ERROR,
    Call,
    Case,
    Outcome,
    accept,
    accept_then_close,
    accept_then_poison,
    close,
    make_case,
    reset,
)
from tests.torture.case_server import run_pending_io
from tests.torture.chunked import CHUNKED

_HTTPS = Call(scheme="https")
_WITHOUT_LENGTH = OK + b"\r\nhello"
_CLOSED_BEFORE = "httpx sends the next request over a connection that the server has closed"
_TRUNCATION = "a close without `close_notify` can be a truncation attack (RFC 9112, 9.8)"
_NOT_REPORTED_BY_ASYNCIO = (
    "asyncio's own event loop does not report the missing `close_notify`, so the body counts as "
    "complete; uvloop, which production uses, reports it"
)
_SSL_ERROR = Outcome(ssl.SSLError)
_UNDOCUMENTED = (
    "httpx lets an `ssl.SSLError` through, which is not one of its documented exceptions"
)


def _open_tcp_socket(peer: Peer) -> socket.socket:
    """Open a second handle of the TCP socket under the TLS connection."""
    descriptor: int = peer.writer.get_extra_info("socket").fileno()
    return socket.socket(fileno=os.dup(descriptor))


def _close_without_notify(response: bytes) -> Script:
    """Send the response, then close the TCP connection without a TLS `close_notify`."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(response)
        await run_pending_io()
        with _open_tcp_socket(peer) as tcp:
            tcp.shutdown(socket.SHUT_WR)

    return script


def _send_noise(response: bytes) -> Script:
    """Send the response, then bytes that are not a TLS record."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(response)
        await run_pending_io()
        with _open_tcp_socket(peer) as tcp:
            tcp.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    return script


def _replace_handshake(response: bytes) -> Script:
    """Send `response` in place of the server's part of the handshake, then close."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.send(response)
        peer.writer.write_eof()
        await peer.wait_closed()

    return script


async def _send_second_response_later(peer: Peer) -> None:
    await peer.read_request()
    peer.send(HELLO)
    await run_pending_io()
    peer.send(HELLO)


async def _read_request(peer: Peer) -> None:
    await peer.read_request()


_TRUSTED_SERVER: tuple[Case, ...] = (
    make_case("a response", HELLO, accept()),
    make_case(
        "a body without a length, then a close with `close_notify`",
        _WITHOUT_LENGTH,
        accept_then_close(),
        accept_then_poison(),
        _CLOSED_BEFORE,
        then=close,
    ),
    Case(
        "a body without a length, then a close without `close_notify`",
        _close_without_notify(_WITHOUT_LENGTH),
        PROTOCOL_ERROR,
        accept_then_close(),
        _TRUNCATION,
        known_bug=_NOT_REPORTED_BY_ASYNCIO,
    ),
    Case(
        "a close without `close_notify` within a body",
        _close_without_notify(HELLO[:-2]),
        PROTOCOL_ERROR,
    ),
    Case(
        "a close without `close_notify` within a chunk",
        _close_without_notify(CHUNKED + b"5\r\nhel"),
        PROTOCOL_ERROR,
    ),
    Case(
        "a close without `close_notify` within the head", _close_without_notify(OK), PROTOCOL_ERROR
    ),
    Case(
        "a close without `close_notify` after the response",
        _close_without_notify(HELLO),
        accept_then_close(),
    ),
    Case("a second response, later", _send_second_response_later, accept_then_close()),
    make_case("a reset within the head", OK, READ_ERROR, then=reset),
    make_case("a reset within the body", HELLO[:-2], READ_ERROR, then=reset),
    Case(
        "bytes that are not TLS within the head",
        _send_noise(OK),
        READ_ERROR,
        _SSL_ERROR,
        _UNDOCUMENTED,
    ),
    Case(
        "bytes that are not TLS within the body",
        _send_noise(HELLO[:-2]),
        READ_ERROR,
        _SSL_ERROR,
        _UNDOCUMENTED,
    ),
    Case("bytes that are not TLS after the response", _send_noise(HELLO), accept_then_close()),
)

TLS: tuple[Case, ...] = (
    *(replace(case, server="trusted") for case in _TRUSTED_SERVER),
    Case(
        "a certificate for another host",
        _read_request,
        CONNECT_ERROR,
        server="other host",
        request_count=0,
    ),
    Case("an expired certificate", _read_request, CONNECT_ERROR, server="expired", request_count=0),
    Case(
        "a self-signed certificate",
        _read_request,
        CONNECT_ERROR,
        server="self-signed",
        request_count=0,
    ),
    Case(
        "a certificate from an unknown authority",
        _read_request,
        CONNECT_ERROR,
        server="unknown authority",
        request_count=0,
    ),
    Case(
        "plain HTTP to an https URL",
        _replace_handshake(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        CONNECT_ERROR,
        call=_HTTPS,
        request_count=0,
    ),
    Case(
        "binary noise in place of the handshake",
        _replace_handshake(bytes(range(256))),
        CONNECT_ERROR,
        call=_HTTPS,
        request_count=0,
    ),
    Case(
        "a close within the handshake",
        _replace_handshake(b""),
        CONNECT_ERROR,
        call=_HTTPS,
        request_count=0,
    ),
    Case(
        "a TLS alert in place of the handshake",
        _replace_handshake(b"\x15\x03\x03\0\x02\x02\x28"),
        CONNECT_ERROR,
        call=_HTTPS,
        request_count=0,
    ),
    Case(
        "TLS to an http URL",
        _read_request,
        PROTOCOL_ERROR,
        call=Call(scheme="http"),
        server="trusted",
        request_count=0,
    ),
)
