"""Large bodies, backpressure, and servers that do not read."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.connection import HIGH_WATER
from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    Peer,
    RecordingServer,
    respond_with,
    serve_script,
)

TIMEOUTS = {"timeout": {"connect": 5, "read": 2, "write": 5}}


async def test_a_large_body_arrives_whole(either: httpx.AsyncBaseTransport) -> None:
    body = bytes(range(256)) * 20_000
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with serve_script(respond_with(answer, HELLO)) as server:
        for expected in (body, b"hello"):
            response = await either.handle_async_request(httpx.Request("GET", server.url))
            assert await response.aread() == expected
        assert server.connections == 1
        await either.aclose()


async def test_backpressure_a_server_is_read_no_faster_than_its_response(
    transport: Transport,
) -> None:
    sent = 0
    stuck = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.read_request()
        peer.send(OK + b"\r\n")
        while sent < 100_000_000:
            peer.send(b"a" * 100_000)
            sent += 100_000
            try:
                await asyncio.wait_for(peer.writer.drain(), 0.3)
            except TimeoutError:
                break
        stuck.set()

    async with serve_script(script) as server:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        await asyncio.wait_for(stuck.wait(), 30)
        # The kernel's buffers are not bounded here, but they hold much less than 100 MB.
        assert sent < 50_000_000
        received = 0
        largest = 0
        async for piece in response.aiter_raw():
            received += len(piece)
            largest = max(largest, len(piece))
        assert received == sent
        assert largest <= HIGH_WATER + 262_144


async def test_a_response_that_comes_before_the_request_is_sent_counts(
    transport: Transport,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await peer.wait_closed()

    async with serve_script(script) as server:
        for content in (b"a" * 30_000_000, _endless()):
            request = httpx.Request("POST", server.url, content=content)
            response = await transport.handle_async_request(request)
            assert response.status_code == 413
        assert server.connections == 2


async def test_a_server_that_closes_without_reading_is_noticed(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write_eof()
        await asyncio.Event().wait()

    async with serve_script(script) as server:
        request = httpx.Request("POST", server.url, content=b"a" * 30_000_000)
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(transport.handle_async_request(request), 5)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"a" * 10_000
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_server_that_does_not_read_times_out(
    either: httpx.AsyncBaseTransport, *, is_whole: bool
) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    timeout = {"write": 0.1, "connect": 5, "read": 5}
    async with serve_script(script) as server:
        content = b"a" * 30_000_000 if is_whole else _endless()
        request = httpx.Request(
            "POST", server.url, content=content, extensions={"timeout": timeout}
        )
        with pytest.raises(httpx.WriteTimeout):
            await either.handle_async_request(request)
        await either.aclose()


async def test_the_read_timeout_does_not_run_while_the_body_is_sent(
    either: httpx.AsyncBaseTransport,
) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.4)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await peer.read_request()
        peer.send(HELLO)
        await peer.wait_closed()

    timeout = {"write": 10, "connect": 5, "read": 0.2}
    async with serve_script(script) as server:
        request = httpx.Request(
            "POST", server.url, content=b"a" * 12_000_000, extensions={"timeout": timeout}
        )
        response = await either.handle_async_request(request)
        assert await response.aread() == b"hello"
        await either.aclose()


async def test_an_interim_response_does_not_stop_the_body(
    either: httpx.AsyncBaseTransport,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        hinted.set()
        await peer.reader.readuntil(b"last\r\n0\r\n\r\n")
        peer.send(HELLO)
        await peer.wait_closed()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await hinted.wait()
        await asyncio.sleep(0.02)
        yield b"last"

    hinted = asyncio.Event()
    async with serve_script(script) as server:
        request = httpx.Request("POST", server.url, content=body(), extensions=TIMEOUTS)
        response = await either.handle_async_request(request)
        assert await response.aread() == b"hello"
        await either.aclose()


async def test_a_request_body_that_fails_closes_its_connection(transport: Transport) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("no more")

    async with serve_script(RecordingServer()) as server:
        with pytest.raises(LookupError):
            await transport.handle_async_request(httpx.Request("POST", server.url, content=body()))
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert response.status_code == 200
        assert server.connections == 2
        await transport.aclose()
