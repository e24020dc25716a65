"""Which connections are reused, by which calls, in which order, and when they close."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    Peer,
    Scripted,
    answering,
    closing,
    scripted,
)

LARGE = OK + b"Content-Length: 200000\r\n\r\n"


def build_request(url: str, method: str = "GET", **timeouts: float) -> httpx.Request:
    extensions = {"timeout": {"read": 5, "connect": 5, **timeouts}}
    content = b"x" if method == "PUT" else None
    return httpx.Request(method, url, content=content, extensions=extensions)


async def send(transport: Transport, url: str, method: str = "GET", **timeouts: float) -> bytes:
    response = await transport.handle_async_request(build_request(url, method, **timeouts))
    return await response.aread()


async def test_calls_one_after_the_other_share_a_connection(transport: Transport) -> None:
    async with scripted(answering(*[HELLO] * 20)) as server:
        for _ in range(20):
            assert await send(transport, server.url) == b"hello"
        assert server.connections == 1
        await transport.aclose()


async def test_every_origin_has_its_own_connections(transport: Transport) -> None:
    async with scripted(answering(HELLO)) as one, scripted(answering(HELLO)) as other:
        await asyncio.gather(send(transport, one.url), send(transport, other.url))
        assert (one.connections, other.connections) == (1, 1)
        await transport.aclose()


async def test_a_connection_closed_while_idle_is_noticed(transport: Transport) -> None:
    async with scripted(closing(HELLO)) as server:
        for _ in range(3):
            assert await send(transport, server.url, "POST") == b"hello"
            await server.over()
        assert server.connections == 3


class Stale:
    """Responds once on the first connection, and closes it when a second request arrives."""

    def __init__(self, *, reset: bool = False, answer: bytes = b"") -> None:
        self._reset = reset
        self._answer = answer
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        first = not self.requests
        self.requests.append(await peer.request())
        peer.send(HELLO)
        if first:
            self.requests.append(await peer.request())
            await peer.drip([self._answer])
            if self._reset:
                peer.reset()
            return
        await peer.gone()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_an_idempotent_request_is_retried_when_the_connection_was_stale(
    transport: Transport, method: str, reset: bool
) -> None:
    stale = Stale(reset=reset)
    async with scripted(stale) as server:
        await send(transport, server.url)
        response = await transport.handle_async_request(build_request(server.url, method))
        assert response.status_code == 200
        assert server.connections == 2
        assert stale.requests[1] == stale.requests[2]
        await transport.aclose()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_any_other_request_is_not_retried(transport: Transport, method: str) -> None:
    stale = Stale()
    async with scripted(stale) as server:
        await send(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await send(transport, server.url, method)
        assert len(stale.requests) == 2


async def test_a_streamed_body_is_not_retried(transport: Transport) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hello"

    stale = Stale()
    async with scripted(stale) as server:
        await send(transport, server.url)
        request = httpx.Request("PUT", server.url, content=body())
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.handle_async_request(request)
        assert len(stale.requests) == 2


async def test_nothing_is_retried_once_the_response_has_begun(transport: Transport) -> None:
    stale = Stale(answer=b"H")
    async with scripted(stale) as server:
        await send(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await send(transport, server.url)
        assert len(stale.requests) == 2


async def test_a_request_is_retried_only_once(transport: Transport) -> None:
    requests = 0

    async def script(peer: Peer) -> None:
        nonlocal requests
        await peer.request()
        requests += 1
        if requests == 1:
            peer.send(HELLO)
            await peer.request()
            requests += 1

    async with scripted(script) as server:
        await send(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await send(transport, server.url)
        assert requests == 3


class Gate:
    """A server that responds when the test lets it, and records the requests that arrive."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.leave = asyncio.Semaphore(0)
        self.closed = 0

    async def __call__(self, peer: Peer) -> None:
        try:
            while True:
                self.arrived.put_nowait((await peer.request()).split(b" ", 2)[1])
                await self.leave.acquire()
                peer.send(HELLO)
        finally:
            self.closed += 1


async def _turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_callers_are_served_first_in_first_out(nothing_left: None) -> None:
    gate = Gate()
    async with scripted(gate) as server, Transport(max_connections=2) as transport:
        calls = []
        for number in range(8):
            calls.append(asyncio.create_task(send(transport, f"{server.url}/{number}")))
            await _turn()
        for _ in calls:
            gate.leave.release()
        assert await asyncio.gather(*calls) == [b"hello"] * 8
        order = [gate.arrived.get_nowait() for _ in calls]
        assert sorted(order[:2]) == [b"/0", b"/1"]
        assert [sorted(order[i : i + 2]) for i in (2, 4, 6)] == [
            [b"/2", b"/3"],
            [b"/4", b"/5"],
            [b"/6", b"/7"],
        ]
        assert server.connections == 2


async def test_waiting_for_the_pool_has_its_own_timeout(nothing_left: None) -> None:
    gate = Gate()
    async with scripted(gate) as server, Transport(max_connections=1) as transport:
        first = asyncio.create_task(send(transport, server.url))
        await gate.arrived.get()
        with pytest.raises(httpx.PoolTimeout) as caught:
            await send(transport, server.url, pool=0.01)
        assert caught.value.request.url == server.url
        gate.leave.release()
        assert await first == b"hello"
        gate.leave.release()
        assert await send(transport, server.url, pool=5) == b"hello"


async def test_a_cancelled_waiter_takes_no_connection(nothing_left: None) -> None:
    gate = Gate()
    async with scripted(gate) as server, Transport(max_connections=1) as transport:
        calls = [asyncio.create_task(send(transport, f"{server.url}/{n}")) for n in range(3)]
        assert await gate.arrived.get() == b"/0"
        calls[1].cancel()
        gate.leave.release()
        gate.leave.release()
        assert await calls[2] == b"hello"
        assert await gate.arrived.get() == b"/2"
        assert server.connections == 1


async def test_the_slot_of_a_failed_call_goes_to_the_next(nothing_left: None) -> None:
    async with (
        scripted(closing(b"nonsense")) as server,
        Transport(max_connections=1) as transport,
    ):
        calls = [send(transport, server.url) for _ in range(5)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [httpx.RemoteProtocolError] * 5
        assert server.connections == 5


async def test_the_slot_of_a_failed_connect_is_free_again(nothing_left: None) -> None:
    async with scripted(answering()) as server:
        pass
    async with Transport(max_connections=1) as transport:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await send(transport, server.url, pool=1)


async def test_an_idle_connection_closes_in_time(nothing_left: None) -> None:
    closed: asyncio.Queue[int] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HELLO)
        await peer.gone()
        closed.put_nowait(1)

    async with scripted(script) as server, Transport(idle_seconds=0.02) as transport:
        await asyncio.gather(*(send(transport, server.url) for _ in range(3)))
        for _ in range(3):
            await asyncio.wait_for(closed.get(), 5)
        assert server.connections == 3
        assert await send(transport, server.url) == b"hello"
        assert server.connections == 4


async def _cancelled(transport: Transport, server: Scripted, reached: asyncio.Event) -> None:
    call = asyncio.create_task(send(transport, server.url))
    await asyncio.wait_for(reached.wait(), 5)
    await _turn()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("answer", [b"", OK, LARGE, LARGE + b"a" * 100_000])
async def test_cancelling_closes_the_socket(transport: Transport, answer: bytes) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.drip([answer])
        reached.set()
        await peer.gone()
        gone.set()

    async with scripted(script) as server:
        await _cancelled(transport, server, reached)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_body_that_is_not_read_to_its_end_closes_its_connection(
    transport: Transport,
) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(LARGE + b"a" * 10)
        await peer.gone()
        gone.set()

    async with scripted(script) as server:
        response = await transport.handle_async_request(build_request(server.url))
        async for piece in response.aiter_raw():
            assert piece
            break
        await response.aclose()
        await asyncio.wait_for(gone.wait(), 5)


@pytest.mark.parametrize("kind", ["read", "connect"])
async def test_each_wait_has_its_own_timeout(transport: Transport, kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with scripted(script) as server:
        if kind == "read":
            with pytest.raises(httpx.ReadTimeout) as caught:
                await send(transport, server.url, read=0.01)
            assert caught.value.request.url == server.url
        else:
            # A server that never takes part in the handshake.
            with pytest.raises(httpx.ConnectTimeout):
                await send(transport, server.url.replace("http:", "https:"), connect=0.05)


async def test_closing_ends_calls_in_flight(nothing_left: None) -> None:
    gate = Gate()
    async with scripted(gate) as server:
        transport = Transport(max_connections=1)
        calls = [asyncio.create_task(send(transport, server.url)) for _ in range(3)]
        await gate.arrived.get()
        await transport.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            httpx.ReadError,
            httpx.ConnectError,
            httpx.ConnectError,
        ]
        with pytest.raises(RuntimeError, match="closed"):
            await send(transport, server.url)


async def test_closing_does_not_complete_half_a_body(nothing_left: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(OK + b"\r\nhel")
        await peer.gone()

    async with scripted(script) as server:
        transport = Transport()
        response = await transport.handle_async_request(build_request(server.url))
        reading = asyncio.create_task(response.aread())
        await _turn()
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await reading
