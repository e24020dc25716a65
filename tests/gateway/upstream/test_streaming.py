"""Streams: piece by piece, with backpressure, and closed whatever happens."""

import asyncio
import time

import httpx
import pytest

from gateway.transport.transport import Transport
from gateway.upstream import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.deadline import deadline
from tests.gateway.transport.scripted_server import OK, Peer, respond_with, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item
from tests.gateway.upstream.streamed_responses import CHUNKED, ITEM, chunk, drip, one_piece

pytestmark = pytest.mark.usefixtures("no_leaks")


async def test_pieces_arrive_as_they_are_sent(either: httpx.AsyncBaseTransport) -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + chunk(b"one"))
        await read.wait()
        peer.send(chunk(b"two") + b"0\r\n\r\n")
        await peer.wait_closed()

    async with serve_script(script) as server:
        client = ExampleClient(server.url, transport=either)
        async with client.stream("GET", "/events") as response:
            assert (response.status, response.headers["x-a"]) == (200, "1")
            assert await anext(response) == b"one"
            read.set()
            assert [piece async for piece in response] == [b"two"]
        await either.aclose()


async def test_its_connection_is_used_again_after_the_whole_body() -> None:
    body = OK + b"Content-Length: 5\r\n\r\nhello"
    async with (
        serve_script(respond_with(body, ITEM)) as server,
        ExampleClient(server.url) as client,
    ):
        async with client.stream("GET", "/") as response:
            assert b"".join([piece async for piece in response]) == b"hello"
        await client.get("/", into=Item)
        assert server.connections == 1


async def test_a_stream_left_early_closes_its_connection() -> None:
    left = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + chunk(b"one"))
        await peer.wait_closed()
        left.set()

    async with serve_script(script) as server, ExampleClient(server.url) as client:
        async with client.stream("GET", "/") as response:
            async for piece in response:
                assert piece == b"one"
                break
        async with asyncio.timeout(60):
            await left.wait()


async def test_a_slow_consumer_makes_the_service_wait() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.read_request()
        peer.send(CHUNKED)
        for _ in range(400):
            peer.send(chunk(b"x" * 65_536))
            await peer.writer.drain()
            sent += 1
        peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    async with serve_script(script) as server, ExampleClient(server.url) as client:
        async with client.stream("GET", "/") as response:
            total = len(await anext(response))
            seen = -1
            while seen != sent:
                seen = sent
                await asyncio.sleep(0.05)
            assert sent < 400
            async for piece in response:
                total += len(piece)
        assert (sent, total) == (400, 400 * 65_536)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, UpstreamRefused), (503, UpstreamUnavailable), (302, UpstreamRefused)],
)
async def test_a_status_that_is_no_success_is_an_error(
    status: int, error: type[Exception], either: httpx.AsyncBaseTransport
) -> None:
    head = b"HTTP/1.1 %d X\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n" % status
    async with serve_script(respond_with(head)) as server:
        client = ExampleClient(server.url, transport=either)
        with pytest.raises(error):
            async with client.stream("GET", "/"):
                pass
        await either.aclose()


async def test_a_body_that_breaks_off_is_unavailable(either: httpx.AsyncBaseTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + chunk(b"one"))
        await peer.writer.drain()

    async with serve_script(script) as server:
        client = ExampleClient(server.url, transport=either)
        async with client.stream("GET", "/") as response:
            assert await anext(response) == b"one"
            with pytest.raises(UpstreamUnavailable):
                await anext(response)
        await either.aclose()


async def silent(peer: Peer) -> None:
    await peer.read_request()
    await peer.wait_closed()


async def test_the_head_must_arrive_within_the_timeout_of_the_call(
    either: httpx.AsyncBaseTransport,
) -> None:
    async with serve_script(silent) as server:
        client = ExampleClient(server.url, transport=either)
        with pytest.raises(UpstreamTimeout):
            async with client.stream("GET", "/", timeout=0.05, idle_timeout=30):
                pass
        await either.aclose()


async def test_every_wait_for_a_piece_has_the_idle_timeout(
    either: httpx.AsyncBaseTransport,
) -> None:
    async with serve_script(one_piece) as server:
        client = ExampleClient(server.url, transport=either)
        async with client.stream("GET", "/", timeout=5, idle_timeout=0.05) as response:
            assert await anext(response) == b"one"
            with pytest.raises(UpstreamTimeout):
                await anext(response)
        await either.aclose()


async def test_a_deadline_applies_to_the_whole_stream() -> None:
    async with serve_script(drip) as server, ExampleClient(server.url) as client:
        with deadline(0.1), pytest.raises(UpstreamTimeout):  # noqa: PT012 - the loop is the point
            async with client.stream("GET", "/", idle_timeout=5) as response:
                async for _ in response:
                    pass


async def test_a_piece_that_arrived_before_the_deadline_is_delivered_by_a_busy_loop() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + chunk(b"one"))
        await asyncio.sleep(0.05)
        peer.send(chunk(b"two"))
        time.sleep(0.3)  # noqa: ASYNC251 - the loop is busy until after the deadline
        await peer.wait_closed()

    async with serve_script(script) as server, ExampleClient(server.url) as client:
        with deadline(0.2):
            async with client.stream("GET", "/", idle_timeout=5) as response:
                assert await anext(response) == b"one"
                assert await anext(response) == b"two"
                with pytest.raises(UpstreamTimeout, match="the deadline passed"):
                    await anext(response)


async def test_a_cancelled_consumer_leaves_nothing() -> None:
    async with (
        serve_script(one_piece) as server,
        ExampleClient(server.url, transport=Transport()) as client,
    ):
        begun = asyncio.Event()

        async def consume() -> None:
            async with client.stream("GET", "/", idle_timeout=30) as response:
                async for _ in response:
                    begun.set()

        task = asyncio.create_task(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_body_can_be_sent() -> None:
    async def echo(peer: Peer) -> None:
        request = await peer.read_request()
        body = request.partition(b"\r\n\r\n")[2]
        peer.send(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await peer.wait_closed()

    async with (
        serve_script(echo) as server,
        ExampleClient(server.url) as client,
        client.stream("POST", "/", json={"prompt": "hi"}) as response,
    ):
        assert b"".join([piece async for piece in response]) == b'{"prompt":"hi"}'
