"""Cases of stale keep-alive connections: which requests are retried."""

from collections.abc import Callable
from dataclasses import replace

from tests.gateway.transport.scripted_server import HELLO, Peer, Script
from tests.torture.case import (
    PROTOCOL_ERROR,
    READ_ERROR,
    READ_TIMEOUT,
    Call,
    Case,
    accept_then_close,
    close,
    reset,
)

_SAFE_TO_RETRY = (
    "a server may close an idle connection at any time, and one retry is safe (RFC 9110, 9.2.2)"
)


def _read_then(end: Callable[[Peer], None], response: bytes = b"") -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([response])
        end(peer)

    return script


def _keep_open(_: Peer) -> None:
    pass


def _warm_call(method: str) -> Call:
    return Call(method, b"x" if method in {"POST", "PUT", "PATCH"} else b"", warm=True)


def _retried(method: str, body: bytes = b"hello") -> tuple[Case, Case]:
    expected = accept_then_close(body)
    return (
        Case(
            f"a close after reading a {method}",
            _read_then(close),
            expected,
            PROTOCOL_ERROR,
            _SAFE_TO_RETRY,
            call=_warm_call(method),
            request_count=2,
        ),
        Case(
            f"a reset after reading a {method}",
            _read_then(reset),
            expected,
            READ_ERROR,
            _SAFE_TO_RETRY,
            call=_warm_call(method),
            request_count=2,
        ),
    )


def _not_retried(method: str) -> tuple[Case, Case]:
    return (
        Case(
            f"a close after reading a {method}",
            _read_then(close),
            PROTOCOL_ERROR,
            call=_warm_call(method),
        ),
        Case(
            f"a reset after reading a {method}",
            _read_then(reset),
            READ_ERROR,
            call=_warm_call(method),
        ),
    )


def _without_response(method: str) -> Case:
    name = f"no response to a {method}"
    call = replace(_warm_call(method), timeout=0.05)
    return Case(name, _read_then(_keep_open), READ_TIMEOUT, call=call)


STALE_CONNECTIONS: tuple[Case, ...] = (
    *_retried("GET"),
    *_retried("HEAD", b""),
    *_retried("PUT"),
    *_retried("DELETE"),
    *_not_retried("POST"),
    *_not_retried("PATCH"),
    _without_response("GET"),
    _without_response("PUT"),
    _without_response("POST"),
    Case(
        "a close after one byte of the response to a GET",
        _read_then(close, b"H"),
        PROTOCOL_ERROR,
        call=_warm_call("GET"),
    ),
    Case(
        "a close after a 1xx response to a GET",
        _read_then(close, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        PROTOCOL_ERROR,
        call=_warm_call("GET"),
    ),
    Case(
        "a close within the body of the response to a GET",
        _read_then(close, HELLO[:-1]),
        PROTOCOL_ERROR,
        call=_warm_call("GET"),
    ),
)
