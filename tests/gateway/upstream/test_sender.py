"""The short way on real sockets: what only it does, and what it must not."""

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
from tests.gateway.transport.scripted_server import OK, Peer, Script, Scripted, answering, scripted
from tests.gateway.upstream.example_client import Item, Shop
from tests.torture.case_server import run_pending_io

JSON = OK + b"Content-Type: application/json\r\n"
ITEM = JSON + b'Content-Length: 11\r\n\r\n{"sku":"A"}'


@asynccontextmanager
async def shop(script: Script, **options: float) -> AsyncIterator[tuple[Shop, Scripted]]:
    transport = Transport(max_connections=2)
    async with (
        scripted(script) as server,
        Shop(server.url, transport=transport, **{"timeout": 5, **options}) as client,  # type: ignore[arg-type]
    ):
        yield client, server


async def test_an_answer_larger_than_what_is_buffered_elsewhere_comes_whole(
    nothing_left: None,
) -> None:
    sku = "A" * (8 * HIGH_WATER)
    body = b'{"sku":"%b"}' % sku.encode()
    answer = JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with shop(answering(answer, ITEM)) as (client, server):
        assert await client.item("A") == Item(sku=sku)
        assert await client.item("A") == Item(sku="A")
        assert server.connections == 1


async def test_a_large_body_is_sent_whole(nothing_left: None) -> None:
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        received.append(await peer.request())
        peer.send(ITEM)
        await peer.gone()

    async with shop(script) as (client, _):
        await client.post("/items", content=b"a" * 5_000_000, into=NoContent)
    assert received[0].endswith(b"\r\n\r\n" + b"a" * 5_000_000)


@pytest.mark.parametrize("status", [200, 500])
async def test_more_than_is_wanted_is_not_read(nothing_left: None, status: int) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 100000000\r\n\r\n" % status)
        while not peer.writer.is_closing():
            await peer.drip([b"a" * 10_000])
            sent += 10_000

    async with shop(script, max_body_bytes=30_000) as (client, _):
        with pytest.raises(UpstreamInvalid if status == 200 else UpstreamUnavailable):
            await client.item("A")
    # Both ends are in this loop and hold what the kernel does; all of it, it is not.
    assert sent < 20_000_000


async def test_a_refusal_that_breaks_off_is_still_that_refusal(nothing_left: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nabc")

    async with shop(script) as (client, _):
        with pytest.raises(UpstreamUnavailable, match="status 503") as caught:
            await client.item("A")
        assert caught.value.retry_after == 7


class Halting:
    """A server whose first answer comes in two segments, and which then does as it is told."""

    def __init__(self, then: Callable[[Peer], Awaitable[None]]) -> None:
        self.then = then

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        peer.send(ITEM[:-5])
        await run_pending_io()
        peer.send(ITEM[-5:])
        await self.then(peer)


async def test_an_answer_before_is_never_taken_for_one_that_broke_off(nothing_left: None) -> None:
    async def then(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with shop(Halting(then)) as (client, server):
        assert await client.item("A") == Item(sku="A")
        with pytest.raises(UpstreamUnavailable):
            await client.post("/items", into=NoContent)
        assert server.connections == 1


async def test_an_answer_before_is_never_taken_for_one_still_to_come(nothing_left: None) -> None:
    answered = False

    async def then(peer: Peer) -> None:
        nonlocal answered
        await peer.request()
        await asyncio.sleep(0.05)
        answered = True
        peer.send(ITEM)
        await peer.gone()

    async with shop(Halting(then)) as (client, server):
        assert await client.item("A") == Item(sku="A")
        # Large enough for the kernel to take it in pieces, so that writing pauses and resumes.
        await client.post("/items", content=b"a" * 20_000_000, into=NoContent)
        assert answered
        assert server.connections == 1


async def test_a_call_that_failed_leaves_nothing_for_the_collector(nothing_left: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(JSON + b"Content-Length: 100000\r\n\r\n" + b"a" * 50_000)
        await peer.gone()

    gc.collect()
    gc.disable()
    try:
        async with shop(script, timeout=0.05) as (client, _):
            with pytest.raises(UpstreamTimeout):
                await client.item("A")
            await run_pending_io()
            held = [it for it in gc.get_objects() if isinstance(it, Connection | httpx.ReadTimeout)]
    finally:
        gc.enable()
    assert held == []


async def test_one_that_failed_on_a_kept_connection_leaves_nothing_either(
    nothing_left: None,
) -> None:
    gc.collect()
    gc.disable()
    try:
        async with shop(answering(ITEM, b"HTTP/0.9\r\n\r\n")) as (client, _):
            await client.item("A")
            with pytest.raises(UpstreamUnavailable):
                await client.item("A")
            await run_pending_io()
            kinds = Connection | httpx.RemoteProtocolError
            held = [it for it in gc.get_objects() if isinstance(it, kinds)]
    finally:
        gc.enable()
    assert held == []


async def test_one_that_waited_in_vain_leaves_nothing_either(nothing_left: None) -> None:
    gc.collect()
    gc.disable()
    try:
        async with shop(answering()) as (client, _):
            calls = [client.item("A", timeout=seconds) for seconds in (0.2, 0.2, 0.02)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [UpstreamTimeout] * 3
            del calls, outcomes
            await run_pending_io()
            held = [it for it in gc.get_objects() if isinstance(it, httpx.PoolTimeout)]
    finally:
        gc.enable()
    assert held == []


class Leaving:
    """A server that leaves at the sight of the second request, and answers all others."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.requests += 1
            if self.requests == 2:
                return
            peer.send(ITEM)


async def test_only_what_is_idempotent_is_sent_again(nothing_left: None) -> None:
    async with shop(leaving := Leaving()) as (client, server):
        for _ in range(2):
            assert await client.item("A") == Item(sku="A")
        assert (leaving.requests, server.connections) == (3, 2)
    async with shop(leaving := Leaving()) as (client, _):
        await client.item("A")
        with pytest.raises(UpstreamUnavailable, match="RemoteProtocolError"):
            await client.post("/items", json=1, into=NoContent)
        assert leaving.requests == 2


async def test_cancelled_in_its_first_moment_it_takes_its_connection_along(
    nothing_left: None,
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            sku = (await peer.request()).split(b" ")[1].removeprefix(b"/items/")
            peer.send(ITEM.replace(b"A", sku))

    async with shop(script) as (client, server):
        await client.item("A")
        call = asyncio.create_task(client.item("B"))
        asyncio.get_running_loop().call_soon(call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.item("C") == Item(sku="C")
        assert server.connections == 2


async def test_an_answer_that_was_there_before_its_request_is_nobodys(nothing_left: None) -> None:
    requests = 0

    async def script(peer: Peer) -> None:
        nonlocal requests
        while True:
            await peer.request()
            requests += 1
            peer.send(ITEM)

    async with shop(script) as (client, server):
        await client.item("A")
        (pool,) = client._transport._pools.values()  # type: ignore[attr-defined]
        (connection,) = pool._idle
        call = asyncio.create_task(client.item("A"))
        await asyncio.sleep(0)
        connection.data_received(ITEM.replace(b"A", b"E"))
        assert await call == Item(sku="A")
        assert (requests, server.connections) == (2, 2)


async def test_closing_ends_every_call(nothing_left: None) -> None:
    asked = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.release()
        await peer.gone()

    async with shop(script) as (client, _):
        calls = [asyncio.create_task(client.item("A")) for _ in range(4)]
        for _ in range(2):
            await asked.acquire()
        await client.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UpstreamUnavailable] * 4


async def test_a_transport_derived_from_ours_is_asked(nothing_left: None) -> None:
    class Recording(Transport):
        """Keeps what it was given."""

        requests: list[httpx.Request] = []  # noqa: RUF012

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return await super().handle_async_request(request)

    async with (
        scripted(answering(ITEM)) as server,
        Shop(server.url, transport=Recording()) as client,
    ):
        await client.item("A")
    assert [request.url.path for request in Recording.requests] == ["/items/A"]


def _answer_when(busy: threading.Event, asked: threading.Event, listening: socket.socket) -> None:
    accepted, _ = listening.accept()
    with accepted:
        accepted.recv(65_536)
        asked.set()
        busy.wait()
        accepted.sendall(ITEM)
        accepted.recv(1)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_answer_that_came_while_the_loop_was_busy_is_in_time(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    busy, asked = threading.Event(), threading.Event()
    bell, ear = socket.socketpair()

    def keep_busy() -> None:
        # Between its look at the sockets and its timers, where uvloop would believe the timer.
        asyncio.get_running_loop().remove_reader(ear)
        busy.set()
        time.sleep(0.5)

    async def ask(port: int) -> Item:
        async with Shop(f"http://127.0.0.1:{port}", timeout=0.4, transport=Transport()) as client:
            call = asyncio.create_task(client.item("A"))
            await asyncio.to_thread(asked.wait)
            asyncio.get_running_loop().add_reader(ear, keep_busy)
            bell.send(b"!")
            return await call

    with socket.create_server(("127.0.0.1", 0)) as listening, bell, ear:
        server = threading.Thread(target=_answer_when, args=(busy, asked, listening))
        server.start()
        with asyncio.Runner(loop_factory=factory) as runner:
            assert runner.run(ask(listening.getsockname()[1])) == Item(sku="A")
        server.join()
