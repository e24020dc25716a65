"""Streams that fail, are read in the wrong way, or are lost on the way: no body looks complete."""

import asyncio

import httpx
import pytest

from gateway.transport.transport import Transport
from gateway.upstream import (
    Call,
    CallPolicy,
    UpstreamError,
    UpstreamInvalid,
    UpstreamResponse,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.call_policy import Attempt, R
from gateway.upstream.deadline import deadline
from gateway.upstream.resilience.retry import Retry, RetryBudget
from tests.gateway.transport.scripted_server import OK, Peer, Script, respond_with, serve_script
from tests.gateway.upstream.example_client import ExampleClient
from tests.gateway.upstream.streamed_responses import CHUNKED, ITEM, chunk, drip, one_piece

GZIP = OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"

pytestmark = pytest.mark.usefixtures("no_leaks")


async def first_hangs(peer: Peer) -> None:
    """Two pieces of a body and silence; the next connection is the same."""
    await peer.read_request()
    peer.send(CHUNKED + chunk(b"one") + chunk(b"two"))
    await peer.wait_closed()


async def test_reading_on_after_a_time_out_is_an_error(either: httpx.AsyncBaseTransport) -> None:
    async with serve_script(one_piece) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream("GET", "/", idle_timeout=0.05) as response:
            assert await anext(response) == b"one"
            with pytest.raises(UpstreamTimeout):
                await anext(response)
            with pytest.raises(UpstreamUnavailable, match="was cut off"):
                _ = [piece async for piece in response]


async def test_reading_on_after_a_wait_was_cancelled_is_an_error(
    either: httpx.AsyncBaseTransport,
) -> None:
    async with serve_script(one_piece) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream("GET", "/", idle_timeout=5) as response:
            assert await anext(response) == b"one"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(response), 0.05)
            with pytest.raises(UpstreamUnavailable, match="was cut off"):
                await anext(response)


async def test_reading_after_the_block_is_an_error(either: httpx.AsyncBaseTransport) -> None:
    async with serve_script(one_piece) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream("GET", "/") as response:
            assert await anext(response) == b"one"
        with pytest.raises(RuntimeError, match="inside the block"):
            await anext(response)
        assert "closed" in repr(response)


async def test_a_complete_body_stays_at_its_end(either: httpx.AsyncBaseTransport) -> None:
    async with serve_script(respond_with(ITEM)) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream("GET", "/") as response:
            assert b"".join([piece async for piece in response]) == b'{"sku":"A"}'
            assert [piece async for piece in response] == []
            assert "complete" in repr(response)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StopAsyncIteration])
async def test_a_consumer_that_raises_gives_the_connection_back(
    error: type[BaseException], either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(one_piece) as server:
        shop = ExampleClient(server.url, transport=either)
        with pytest.raises(error):  # noqa: PT012 - the block is the point
            async with shop.stream("GET", "/") as response:
                await anext(response)
                raise error
        if isinstance(either, Transport):
            assert all(pool.is_empty for pool in either._pools.values())


async def test_closing_while_another_task_reads_closes_the_connection() -> None:
    async with (
        serve_script(one_piece) as server,
        ExampleClient(server.url) as shop,
        shop.stream("GET", "/", idle_timeout=5) as response,
    ):
        await anext(response)
        reader = asyncio.create_task(anext(response))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already running"):
            await response.aclose()
        with pytest.raises(UpstreamUnavailable):
            await asyncio.wait_for(reader, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stream_with_an_unknown_content_coding_is_invalid(
    method: str, either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(respond_with(GZIP.replace(b"gzip", b"compress"))) as server:
        budget = RetryBudget(share=1, minimum=9)
        policies = [Retry(3, budget=budget, backoff=0.001, max_backoff=0.001)]
        shop = ExampleClient(server.url, transport=either, policies=policies)
        with pytest.raises(UpstreamInvalid, match="coding 'compress' is unknown"):
            async with shop.stream(method, "/"):
                pass
        assert server.connections == 1


async def test_a_stream_that_asks_for_compression_gets_it(
    either: httpx.AsyncBaseTransport,
) -> None:
    async with serve_script(respond_with(GZIP)) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as response:
            assert b"".join([piece async for piece in response]) == b"abc"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 X\r\nContent-Encoding: gzip\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 X\r\n\r\n"),
        ("HEAD", OK + b"Content-Length: 30000000\r\n\r\n"),
        ("OPTIONS", OK + b"Content-Length: 0\r\n\r\n"),
    ],
)
async def test_a_response_without_a_body_is_empty(
    method: str, answer: bytes, either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(respond_with(answer, answer)) as server:
        shop = ExampleClient(server.url, transport=either)
        async with shop.stream(method, "/") as response:
            assert [piece async for piece in response] == []
        await shop.call(Call(method, "/", {}), into=type(None))
        assert server.connections == 1


async def huge_head(peer: Peer) -> None:
    await peer.read_request()
    peer.send(OK + b"".join(b"X-%d: %b\r\n" % (i, b"a" * 4_000) for i in range(100)) + b"\r\n")
    await peer.wait_closed()


async def slow_head(peer: Peer) -> None:
    await peer.read_request()
    for byte in OK + b"X: " + b"y" * 10_000:
        peer.send(bytes([byte]))
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "error"), [(huge_head, UpstreamUnavailable), (slow_head, UpstreamTimeout)]
)
async def test_a_head_is_bounded_in_size_and_time(
    script: Script, error: type[UpstreamError], either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(script) as server:
        shop = ExampleClient(server.url, transport=either)
        with pytest.raises(error):
            async with shop.stream("GET", "/", timeout=0.5, idle_timeout=30):
                pass


class AfterTheAttempt(CallPolicy):
    """Waits, or fails, once it has a response."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.has_response = asyncio.Event()

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        response = await attempt()
        self.has_response.set()
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()
        return response


async def open_stream(shop: ExampleClient) -> None:
    async with shop.stream("GET", "/", timeout=0.2):
        raise AssertionError


async def test_a_response_that_a_policy_loses_is_closed(either: httpx.AsyncBaseTransport) -> None:
    async with serve_script(first_hangs) as server:
        failing = AfterTheAttempt(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await open_stream(ExampleClient(server.url, transport=either, policies=[failing]))
        with pytest.raises(UpstreamTimeout):
            await open_stream(
                ExampleClient(server.url, transport=either, policies=[AfterTheAttempt()])
            )
        policy = AfterTheAttempt()
        task = asyncio.create_task(
            open_stream(ExampleClient(server.url, transport=either, policies=[policy]))
        )
        await policy.has_response.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if isinstance(either, Transport):
            assert all(pool.is_empty for pool in either._pools.values())
        else:
            assert either._pool.connections == []  # type: ignore[attr-defined]


async def test_of_two_responses_the_one_not_chosen_is_closed() -> None:
    class Twice(CallPolicy):
        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            await attempt()
            return await attempt()

    transport = Transport(max_connections=2)
    async with (
        serve_script(first_hangs) as server,
        ExampleClient(server.url, transport=transport, policies=[Twice()]) as shop,
    ):
        for _ in range(3):
            async with shop.stream("GET", "/") as response:
                assert (await anext(response)).startswith(b"one")
        (pool,) = transport._pools.values()
        assert pool.is_empty


async def test_the_response_of_a_failed_attempt_is_closed_before_the_pause() -> None:
    busy = b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\nunread"

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(busy if server.connections == 1 else ITEM)
        await peer.wait_closed()

    budget = RetryBudget(share=1, minimum=9)
    retry = Retry(3, budget=budget, backoff=0.001, max_backoff=0.001)
    transport = Transport(max_connections=1)
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, transport=transport, policies=[retry]) as shop,
        shop.stream("GET", "/") as response,
    ):
        assert b"".join([piece async for piece in response]) == b'{"sku":"A"}'


async def test_the_deadline_of_a_composite_part_ends_a_stream_in_it() -> None:
    async with serve_script(drip) as server, ExampleClient(server.url, policies=[]) as shop:

        async def read() -> None:
            async with shop.stream("GET", "/", idle_timeout=5) as response:
                async for _ in response:
                    pass

        with deadline(0.1), pytest.raises(UpstreamTimeout, match="the deadline passed"):
            await asyncio.create_task(read())


async def test_an_endless_idle_time_lets_a_body_pause_after_a_short_head() -> None:
    """The read timeout of the request is that of the body, on httpx's transport too."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + chunk(b"one"))
        await asyncio.sleep(0.3)
        peer.send(chunk(b"two") + b"0\r\n\r\n")
        await peer.wait_closed()

    for transport in Transport(), httpx.AsyncHTTPTransport(trust_env=False, verify=False):
        async with (
            serve_script(script) as server,
            ExampleClient(server.url, transport=transport) as shop,
            shop.stream("GET", "/", timeout=0.15, idle_timeout=2) as response,
        ):
            assert b"".join([piece async for piece in response]) == b"onetwo"


async def test_a_typed_head_may_say_that_its_body_would_be_compressed() -> None:
    head = OK + b"Content-Encoding: gzip\r\nETag: 1\r\nContent-Length: 3\r\n\r\n"
    async with serve_script(respond_with(head)) as server, ExampleClient(server.url) as shop:
        response = await shop.call(Call("HEAD", "/", {}), into=UpstreamResponse[None])
        assert response.headers["content-encoding"] == "gzip"
