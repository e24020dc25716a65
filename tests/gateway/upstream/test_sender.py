"""The direct sender on real sockets: large bodies, retries, cancellation and timeouts."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvloop

from gateway.transport.connection import HIGH_WATER, Connection
from gateway.transport.transport import Transport
from gateway.upstream.client import NoContent
from gateway.upstream.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from tests.gateway.transport.scripted_server import (
    OK,
    Peer,
    Script,
    ScriptedServer,
    respond_with,
    serve_script,
)
from tests.gateway.upstream.example_client import ExampleClient, Item
from tests.torture.case_server import run_pending_io

JSON = OK + b"Content-Type: application/json\r\n"
ITEM = JSON + b'Content-Length: 11\r\n\r\n{"sku":"A"}'


@asynccontextmanager
async def connect_client(
    script: Script, **options: float
) -> AsyncIterator[tuple[ExampleClient, ScriptedServer]]:
    transport = Transport(max_connections=2)
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, transport=transport, **{"timeout": 5, **options}) as client,  # type: ignore[arg-type]
    ):
        yield client, server


async def test_a_response_larger_than_the_buffers_arrives_whole(
    no_leaks: None,
) -> None:
    sku = "A" * (4 * HIGH_WATER)
    body = b'{"sku":"%b"}' % sku.encode()
    answer = JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with connect_client(respond_with(answer, ITEM)) as (client, server):
        assert await client.item("A") == Item(sku=sku)
        assert await client.item("A") == Item(sku="A")
        assert server.connections == 1


async def test_a_large_body_is_sent_whole(no_leaks: None) -> None:
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        received.append(await peer.read_request())
        peer.send(ITEM)
        await peer.wait_closed()

    async with connect_client(script) as (client, _):
        await client.post("/items", content=b"a" * 5_000_000, into=NoContent)
    assert received[0].endswith(b"\r\n\r\n" + b"a" * 5_000_000)


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_above_the_limit_is_not_read(no_leaks: None, status: int) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.read_request()
        peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 100000000\r\n\r\n" % status)
        while not peer.writer.is_closing():
            await peer.drip([b"a" * 10_000])
            sent += 10_000

    async with connect_client(script, max_body_bytes=30_000) as (client, _):
        with pytest.raises(UpstreamInvalid if status == 200 else UpstreamUnavailable):
            await client.item("A")
    # Both ends and the kernel buffer some of it, but not all 100 MB.
    assert sent < 20_000_000


async def test_a_truncated_refusal_is_still_that_refusal(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nabc")

    async with connect_client(script) as (client, _):
        with pytest.raises(UpstreamUnavailable, match="status 503") as caught:
            await client.item("A")
        assert caught.value.retry_after == 7


class TwoSegmentServer:
    """A script that sends the first response in two segments, and then runs `then`."""

    def __init__(self, then: Callable[[Peer], Awaitable[None]]) -> None:
        self.then = then

    async def __call__(self, peer: Peer) -> None:
        await peer.read_request()
        peer.send(ITEM[:-5])
        await run_pending_io()
        peer.send(ITEM[-5:])
        await self.then(peer)


async def test_an_earlier_response_is_not_taken_for_a_truncated_one(no_leaks: None) -> None:
    async def then(peer: Peer) -> None:
        await peer.read_request()
        peer.reset()

    async with connect_client(TwoSegmentServer(then)) as (client, server):
        assert await client.item("A") == Item(sku="A")
        with pytest.raises(UpstreamUnavailable):
            await client.post("/items", into=NoContent)
        assert server.connections == 1


async def test_an_earlier_response_is_not_taken_for_the_next_one(no_leaks: None) -> None:
    answered = False

    async def then(peer: Peer) -> None:
        nonlocal answered
        await peer.read_request()
        await asyncio.sleep(0.05)
        answered = True
        peer.send(ITEM)
        await peer.wait_closed()

    async with connect_client(TwoSegmentServer(then)) as (client, server):
        assert await client.item("A") == Item(sku="A")
        # Large enough for the kernel to take it in pieces, so that writing pauses and resumes.
        await client.post("/items", content=b"a" * 20_000_000, into=NoContent)
        assert answered
        assert server.connections == 1


async def test_a_failed_call_leaves_no_reference_cycle(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(JSON + b"Content-Length: 100000\r\n\r\n" + b"a" * 50_000)
        await peer.wait_closed()

    gc.collect()
    gc.disable()
    try:
        async with connect_client(script, timeout=0.05) as (client, _):
            with pytest.raises(UpstreamTimeout):
                await client.item("A")
            await run_pending_io()
            held = [it for it in gc.get_objects() if isinstance(it, Connection | httpx.ReadTimeout)]
    finally:
        gc.enable()
    assert held == []


async def test_a_failed_call_on_a_reused_connection_leaves_no_reference_cycle(
    no_leaks: None,
) -> None:
    gc.collect()
    gc.disable()
    try:
        async with connect_client(respond_with(ITEM, b"HTTP/0.9\r\n\r\n")) as (client, _):
            await client.item("A")
            with pytest.raises(UpstreamUnavailable):
                await client.item("A")
            await run_pending_io()
            kinds = Connection | httpx.RemoteProtocolError
            held = [it for it in gc.get_objects() if isinstance(it, kinds)]
    finally:
        gc.enable()
    assert held == []


async def test_a_pool_timeout_leaves_no_reference_cycle(no_leaks: None) -> None:
    gc.collect()
    gc.disable()
    try:
        async with connect_client(respond_with()) as (client, _):
            calls = [client.item("A", timeout=seconds) for seconds in (0.2, 0.2, 0.02)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [UpstreamTimeout] * 3
            del calls, outcomes
            await run_pending_io()
            held = [it for it in gc.get_objects() if isinstance(it, httpx.PoolTimeout)]
    finally:
        gc.enable()
    assert held == []


class ClosingServer:
    """A script that closes after reading the second request, and responds to all others."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.read_request()
            self.requests += 1
            if self.requests == 2:
                return
            peer.send(ITEM)


async def test_only_an_idempotent_call_is_retried(no_leaks: None) -> None:
    async with connect_client(script := ClosingServer()) as (client, server):
        for _ in range(2):
            assert await client.item("A") == Item(sku="A")
        assert (script.requests, server.connections) == (3, 2)
    async with connect_client(script := ClosingServer()) as (client, _):
        await client.item("A")
        with pytest.raises(UpstreamUnavailable, match="RemoteProtocolError"):
            await client.post("/items", json=1, into=NoContent)
        assert script.requests == 2


async def test_a_call_cancelled_at_once_closes_its_connection(
    no_leaks: None,
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            sku = (await peer.read_request()).split(b" ")[1].removeprefix(b"/items/")
            peer.send(ITEM.replace(b"A", sku))

    async with connect_client(script) as (client, server):
        await client.item("A")
        call = asyncio.create_task(client.item("B"))
        asyncio.get_running_loop().call_soon(call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.item("C") == Item(sku="C")
        assert server.connections == 2


async def test_a_response_that_precedes_its_request_is_discarded(no_leaks: None) -> None:
    requests = 0

    async def script(peer: Peer) -> None:
        nonlocal requests
        while True:
            await peer.read_request()
            requests += 1
            peer.send(ITEM)

    async with connect_client(script) as (client, server):
        await client.item("A")
        (pool,) = client._transport._pools.values()  # type: ignore[attr-defined]
        (connection,) = pool._idle
        call = asyncio.create_task(client.item("A"))
        await asyncio.sleep(0)
        connection.data_received(ITEM.replace(b"A", b"E"))
        assert await call == Item(sku="A")
        assert (requests, server.connections) == (2, 2)


async def test_closing_ends_every_call(no_leaks: None) -> None:
    requested = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        requested.release()
        await peer.wait_closed()

    async with connect_client(script) as (client, _):
        calls = [asyncio.create_task(client.item("A")) for _ in range(4)]
        for _ in range(2):
            await requested.acquire()
        await client.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UpstreamUnavailable] * 4


async def test_a_subclass_of_the_transport_is_used(no_leaks: None) -> None:
    class RecordingTransport(Transport):
        """Records its requests."""

        requests: list[httpx.Request] = []  # noqa: RUF012

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return await super().handle_async_request(request)

    async with (
        serve_script(respond_with(ITEM)) as server,
        ExampleClient(server.url, transport=RecordingTransport()) as client,
    ):
        await client.item("A")
    assert [request.url.path for request in RecordingTransport.requests] == ["/items/A"]


def _respond_when(
    busy: threading.Event, requested: threading.Event, listening: socket.socket
) -> None:
    accepted, _ = listening.accept()
    with accepted:
        accepted.recv(65_536)
        requested.set()
        busy.wait()
        accepted.sendall(ITEM)
        accepted.recv(1)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_response_that_arrived_while_the_loop_was_busy_is_in_time(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    busy, requested = threading.Event(), threading.Event()
    wakeup_writer, wakeup_reader = socket.socketpair()

    def keep_busy() -> None:
        # Runs between polling and the timers, where uvloop would let the timer win.
        asyncio.get_running_loop().remove_reader(wakeup_reader)
        busy.set()
        time.sleep(0.5)

    async def fetch_item(port: int) -> Item:
        async with ExampleClient(
            f"http://127.0.0.1:{port}", timeout=0.4, transport=Transport()
        ) as client:
            call = asyncio.create_task(client.item("A"))
            await asyncio.to_thread(requested.wait)
            asyncio.get_running_loop().add_reader(wakeup_reader, keep_busy)
            wakeup_writer.send(b"!")
            return await call

    with socket.create_server(("127.0.0.1", 0)) as listening, wakeup_writer, wakeup_reader:
        server = threading.Thread(target=_respond_when, args=(busy, requested, listening))
        server.start()
        with asyncio.Runner(loop_factory=factory) as runner:
            assert runner.run(fetch_item(listening.getsockname()[1])) == Item(sku="A")
        server.join()
