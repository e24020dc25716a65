"""The two ways to a service, over the gateway's transport and over httpx's: no difference."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.proxy.upstream import upload
from tests.gateway.proxy.serve_proxy import ServedProxy, serve_proxy
from tests.gateway.transport.scripted_server import HELLO, OK, Peer

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
    "search": b"GET /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n\r\nhello",
    "empty search": b"GET /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n",
    "deletion": (
        b"DELETE /service/x HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
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
    "head cut off": [b"HTTP/1.1 200 OK\r\nContent-Le"],
    "chunks cut off": [CHUNKED + b"5\r\nhel"],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "hints": [b"HTTP/1.1 100 Continue\r\n\r\n", HELLO],
    "no length": [b"HTTP/1.0 200 OK\r\n\r\nhello"],
    "not HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    "two lengths": [OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    "bad length": [OK + b"Content-Length: five\r\n\r\nhello"],
    "19 digits": [OK + b"Content-Length: 1000000000000000000\r\n\r\nhello"],
    "20 zeros": [OK + b"Content-Length: 00000000000000000005\r\n\r\nhello"],
    "5000 digits": [OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nhello"],
    "bad field": [OK + b"X Y: 1\r\nContent-Length: 0\r\n\r\n"],
    "bad chunk": [CHUNKED + b"hello\r\n"],
    "bad later chunk": [CHUNKED + b"5\r\nhello\r\n", b"x\r\n"],
}

_VARIABLE = re.compile(
    rb"(?im)^(date|x-request-id|server-timing|traceparent|x-forwarded-port|x-forwarded-host|host"
    rb"|via|connection): .*\r\n"
)


class Responding:
    """A service that responds with the pieces of the test, one after another, and closes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.requests.append(await peer.read_request())
        for piece in self.pieces:
            peer.send(piece)
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both() -> AsyncIterator[tuple[Responding, list[ServedProxy]]]:
    """Serve all of the tests with two gateways, one for each way."""
    service = Responding()
    async with (
        serve_proxy(service, service={"transport": "lockgate"}) as direct,
        serve_proxy(service, service={"transport": "httpx"}) as httpx,
    ):
        yield service, [direct, httpx]
        assert [proxy.streams.count + proxy.in_flight for proxy in (direct, httpx)] == [0, 0]


async def exchange(
    service: Responding, proxy: ServedProxy, request: bytes, pieces: list[bytes]
) -> tuple[bytes, bytes]:
    """Return what the service received, and what the caller did, without what varies."""
    service.pieces, service.requests = pieces, []
    caller = await proxy.connect()
    caller.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    received = await caller.read_to_the_end()
    await proxy.service.wait_done()
    head, _, body = received.partition(b"\r\n\r\n")
    [received_request] = service.requests
    if head.startswith(b"HTTP/1.1 50"):
        return _normalize(received_request), head[:12]
    return _normalize(received_request), _normalize(head + b"\r\n") + body


def _normalize(message: bytes) -> bytes:
    """Sort the fields, which have no order among different names, and drop those that vary."""
    head, end, body = message.partition(b"\r\n\r\n")
    lines = _VARIABLE.sub(b"", head + b"\r\n").splitlines()
    lowered = [line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in lines]
    return b"\r\n".join(lowered[:1] + sorted(lowered[1:])) + end + body


POST_EXPECTING = (
    b"PUT /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
)


@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
@pytest.mark.parametrize("reaction", ["asks", "reads", "refuses", "refuses and closes"])
async def test_an_expectation_is_met(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, transport: str, reaction: str
) -> None:
    monkeypatch.setattr(upload, "CONTINUE_SECONDS", 0.05)
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if reaction == "asks":
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if reaction.startswith("refuses"):
            peer.send(refusal)
        else:
            assert await peer.reader.readexactly(5) == b"hello"
            peer.send(HELLO)
        if reaction != "refuses and closes":
            await peer.wait_closed()

    async with serve_proxy(script, service={"transport": transport}) as proxy:
        caller = await proxy.connect()
        caller.send(POST_EXPECTING)
        head = await caller.read_head()
        if head.startswith(b"HTTP/1.1 100 "):
            caller.send(b"hello")
            head = await caller.read_head()
        is_refused = reaction.startswith("refuses")
        assert head.startswith(b"HTTP/1.1 413 " if is_refused else b"HTTP/1.1 200 ")
        assert await caller.read(5) == (b"large" if is_refused else b"hello")


@pytest.mark.parametrize(("transport", "status"), [("lockgate", 413), ("httpx", 504)])
async def test_httpx_does_not_read_a_response_before_the_body_is_sent(
    no_leaks: None, transport: str, status: int
) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with serve_proxy(
        script, service={"transport": transport}, idle_timeout=0.3, timeout=5
    ) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"Content-Length: 40000000", method="POST")
        caller.send(b"x" * 40_000_000)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("response", RESPONSES)
async def test_responses_are_the_same(
    both: tuple[Responding, list[ServedProxy]], response: str
) -> None:
    service, proxies = both
    results = [
        await exchange(service, proxy, REQUESTS["get"], RESPONSES[response]) for proxy in proxies
    ]
    assert results[0] == results[1]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("request_", REQUESTS)
async def test_requests_are_the_same(
    both: tuple[Responding, list[ServedProxy]], request_: str
) -> None:
    service, proxies = both
    results = [
        await exchange(service, proxy, REQUESTS[request_], RESPONSES["whole"]) for proxy in proxies
    ]
    assert results[0] == results[1]
