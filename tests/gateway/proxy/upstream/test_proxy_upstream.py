"""The two ways to a service, over the gateway's transport and over httpx's: no difference."""

import asyncio
import re

import pytest

from tests.gateway.proxy.serve_proxy import serve_proxy
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, Script

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

REQUESTS = {
    "get": b"GET /service/a%20b/c?x=%2F&y HTTP/1.1\r\nHost: gateway\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    "head": b"HEAD /service/x HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "post": b"POST /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n\r\nhello",
    "empty": b"POST /service/x HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "chunked": (
        b"PUT /service/x HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "extension": b"PURGE /service/x HTTP/1.1\r\nHost: gateway\r\n\r\n",
}

RESPONSES = {
    "whole": [HELLO],
    "pieces": [OK + b"Content-Length: 10\r\n\r\nhello", b"world"],
    "chunks": [CHUNKED + b"5\r\nhello\r\n", b"5\r\nworld\r\n0\r\n\r\n"],
    "encoded": [OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\nab"],
    "cookies": [OK + b"X-B: 1\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"],
    "redirect": [b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"],
    "cut off": [OK + b"Content-Length: 10\r\n\r\nhello"],
    "nothing": [],
}

_VARIABLE = re.compile(
    rb"(?im)^(date|x-request-id|server-timing|traceparent|x-forwarded-port|x-forwarded-host|host"
    rb"|via|connection): .*\r\n"
)


def respond(pieces: list[bytes], requests: list[bytes]) -> Script:
    """Make a script that responds with these pieces, one after another, and closes."""

    async def script(peer: Peer) -> None:
        requests.append(await peer.read_request())
        for piece in pieces:
            peer.send(piece)
            await asyncio.sleep(0.02)

    return script


async def exchange(transport: str, request: bytes, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Return what the service received, and what the caller did, without what varies."""
    requests: list[bytes] = []
    service = {"transport": transport}
    async with serve_proxy(respond(pieces, requests), service=service) as proxy:
        caller = await proxy.connect()
        caller.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        received = await caller.read_to_the_end()
    head, _, body = received.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 503"):
        return _normalize(requests[0]), head[:12]
    return _normalize(requests[0]), _normalize(head + b"\r\n") + body


def _normalize(message: bytes) -> bytes:
    """Sort the fields, which have no order among different names, and drop those that vary."""
    head, end, body = message.partition(b"\r\n\r\n")
    lines = _VARIABLE.sub(b"", head + b"\r\n").splitlines()
    lowered = [line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in lines]
    return b"\r\n".join(lowered[:1] + sorted(lowered[1:])) + end + body


@pytest.mark.parametrize("response", RESPONSES)
async def test_responses_are_the_same(no_leaks: None, response: str) -> None:
    results = [
        await exchange(transport, REQUESTS["get"], RESPONSES[response])
        for transport in ("lockgate", "httpx")
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("request_", REQUESTS)
async def test_requests_are_the_same(no_leaks: None, request_: str) -> None:
    results = [
        await exchange(transport, REQUESTS[request_], RESPONSES["whole"])
        for transport in ("lockgate", "httpx")
    ]
    assert results[0] == results[1]
