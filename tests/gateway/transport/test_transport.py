"""Connection reuse, retries on a stale connection, timeouts and closing."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.requests import build_request, fetch, fetch_body, run_loop_turns
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    GatedServer,
    Peer,
    ScriptedServer,
    respond_and_close,
    respond_with,
    serve_script,
)

LARGE = OK + b"Content-Length: 200000\r\n\r\n"


async def test_calls_one_after_the_other_share_a_connection(transport: Transport) -> None:
    async with serve_script(respond_with(*[HELLO] * 20)) as server:
        for _ in range(20):
            assert await fetch_body(transport, server.url) == b"hello"
        assert server.connections == 1
        await transport.aclose()


async def test_every_origin_has_its_own_connections(transport: Transport) -> None:
    async with serve_script(respond_with(HELLO)) as one, serve_script(respond_with(HELLO)) as other:
        await asyncio.gather(fetch_body(transport, one.url), fetch_body(transport, other.url))
        assert (one.connections, other.connections) == (1, 1)
        await transport.aclose()


async def test_a_connection_closed_while_idle_is_noticed(transport: Transport) -> None:
    async with serve_script(respond_and_close(HELLO)) as server:
        for _ in range(3):
            assert await fetch_body(transport, server.url, "POST") == b"hello"
            await server.wait_done()
        assert server.connections == 3


class StaleServer:
    """Responds once on the first connection, and closes it when a second request arrives."""

    def __init__(self, *, reset: bool = False, answer: bytes = b"") -> None:
        self._reset = reset
        self._answer = answer
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        first = not self.requests
        self.requests.append(await peer.read_request())
        peer.send(HELLO)
        if first:
            self.requests.append(await peer.read_request())
            await peer.drip([self._answer])
            if self._reset:
                peer.reset()
            return
        await peer.wait_closed()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_an_idempotent_request_is_retried_when_the_connection_was_stale(
    transport: Transport, method: str, reset: bool
) -> None:
    stale = StaleServer(reset=reset)
    async with serve_script(stale) as server:
        await fetch_body(transport, server.url)
        response = await transport.handle_async_request(build_request(server.url, method))
        assert response.status_code == 200
        assert server.connections == 2
        assert stale.requests[1] == stale.requests[2]
        await transport.aclose()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_any_other_request_is_not_retried(transport: Transport, method: str) -> None:
    stale = StaleServer()
    async with serve_script(stale) as server:
        await fetch_body(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch_body(transport, server.url, method)
        assert len(stale.requests) == 2


async def test_a_streamed_body_is_not_retried(transport: Transport) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hello"

    stale = StaleServer()
    async with serve_script(stale) as server:
        await fetch_body(transport, server.url)
        request = httpx.Request("PUT", server.url, content=body())
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.handle_async_request(request)
        assert len(stale.requests) == 2


async def test_nothing_is_retried_once_the_response_has_begun(transport: Transport) -> None:
    stale = StaleServer(answer=b"H")
    async with serve_script(stale) as server:
        await fetch_body(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch_body(transport, server.url)
        assert len(stale.requests) == 2


async def test_a_request_is_retried_only_once(transport: Transport) -> None:
    requests = 0

    async def script(peer: Peer) -> None:
        nonlocal requests
        await peer.read_request()
        requests += 1
        if requests == 1:
            peer.send(HELLO)
            await peer.read_request()
            requests += 1

    async with serve_script(script) as server:
        await fetch_body(transport, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch_body(transport, server.url)
        assert requests == 3


async def _call_and_cancel(
    transport: Transport, server: ScriptedServer, reached: asyncio.Event
) -> None:
    call = asyncio.create_task(fetch_body(transport, server.url))
    await asyncio.wait_for(reached.wait(), 60)
    await run_loop_turns()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("answer", [b"", OK, LARGE, LARGE + b"a" * 100_000])
async def test_cancelling_closes_the_socket(transport: Transport, answer: bytes) -> None:
    reached, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([answer])
        reached.set()
        await peer.wait_closed()
        closed.set()

    async with serve_script(script) as server:
        await _call_and_cancel(transport, server, reached)
        await asyncio.wait_for(closed.wait(), 60)


async def test_a_body_that_is_not_read_to_its_end_closes_its_connection(
    transport: Transport,
) -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(LARGE + b"a" * 10)
        await peer.wait_closed()
        closed.set()

    async with serve_script(script) as server:
        response = await transport.handle_async_request(build_request(server.url))
        async for piece in response.aiter_raw():
            assert piece
            break
        await response.aclose()
        await asyncio.wait_for(closed.wait(), 60)


@pytest.mark.parametrize("kind", ["read", "connect"])
async def test_each_wait_has_its_own_timeout(transport: Transport, kind: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.wait_closed()

    async with serve_script(script) as server:
        if kind == "read":
            with pytest.raises(httpx.ReadTimeout) as caught:
                await fetch_body(transport, server.url, read=0.01)
            assert caught.value.request.url == server.url
        else:
            # The server never answers the handshake.
            with pytest.raises(httpx.ConnectTimeout):
                await fetch_body(transport, server.url.replace("http:", "https:"), connect=0.05)


async def test_closing_ends_calls_in_flight(no_leaks: None) -> None:
    gate = GatedServer()
    async with serve_script(gate) as server:
        transport = Transport(max_connections=1)
        calls = [asyncio.create_task(fetch_body(transport, server.url)) for _ in range(3)]
        await gate.arrived.get()
        await transport.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            httpx.ReadError,
            httpx.ConnectError,
            httpx.ConnectError,
        ]
        with pytest.raises(RuntimeError, match="closed"):
            await fetch_body(transport, server.url)


async def test_closing_does_not_complete_half_a_body(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(OK + b"\r\nhel")
        await peer.wait_closed()

    async with serve_script(script) as server:
        transport = Transport()
        response = await transport.handle_async_request(build_request(server.url))
        reading = asyncio.create_task(response.aread())
        await run_loop_turns()
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await reading


async def test_bytes_on_an_idle_connection_close_it(transport: Transport) -> None:
    idle = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(HELLO)
        await idle.wait()
        peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.wait_closed()

    async with serve_script(script) as server:
        assert await fetch(transport, server.url) == (200, b"hello")
        idle.set()
        await server.wait_done()
        assert await fetch(transport, server.url) == (200, b"hello")
        assert server.connections == 2


@pytest.mark.parametrize("answer", [b"", OK, OK + b"Content-Length: 5\r\n\r\nhel", OK + b"\r\nhel"])
async def test_a_reset_is_an_error_wherever_it_comes(
    either: httpx.AsyncBaseTransport, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([answer])
        peer.reset()

    async with serve_script(script) as server:
        with pytest.raises(httpx.ReadError):
            await fetch(either, server.url)
        await either.aclose()


async def test_a_refused_connection_is_a_connect_error(either: httpx.AsyncBaseTransport) -> None:
    async with serve_script(respond_with()) as server:
        pass
    with pytest.raises(httpx.ConnectError):
        await fetch(either, server.url)


async def test_its_state_is_that_of_the_last_attempt_to_connect(transport: Transport) -> None:
    states: list[str] = [transport.state]
    async with serve_script(respond_and_close(HELLO)) as server:
        await fetch_body(transport, server.url)
        await server.wait_done()
        states.append(transport.state)
    with pytest.raises(httpx.ConnectError):
        await fetch_body(transport, server.url)
    states.append(transport.state)
    assert states == ["unused", "reachable", "unreachable"]


async def test_other_url_schemes_are_refused(transport: Transport) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await fetch(transport, "ftp://127.0.0.1/")
