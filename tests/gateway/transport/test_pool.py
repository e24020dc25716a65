"""The connection pool: waiters, limits and idle connections, also in races that only it can see."""

import asyncio
from collections.abc import Callable
from unittest.mock import Mock

import httpx
import pytest

from gateway.transport.exchange import Exchange
from gateway.transport.timeouts import RequestTimeouts
from gateway.transport.transport import Transport
from tests.gateway.transport.open_pool import lend, lend_and_wait, open_pool
from tests.gateway.transport.requests import fetch_body, run_loop_turns
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    GatedServer,
    Peer,
    respond_and_close,
    respond_with,
    serve_script,
)
from tests.gateway.upstream.example_client import ExampleClient


@pytest.mark.parametrize("is_handed_first", [True, False])
async def test_a_slot_handed_to_a_cancelled_caller_goes_to_the_next(
    no_leaks: None, is_handed_first: bool
) -> None:
    async with open_pool() as (pool, server):
        first = await lend(pool)
        cancelled, next_one = (asyncio.create_task(lend(pool)) for _ in range(2))
        await asyncio.sleep(0)
        if is_handed_first:
            pool.release(first)
            cancelled.cancel()
        else:
            cancelled.cancel()
            pool.release(first)
        assert await next_one is first
        assert cancelled.cancelled()
        pool.release(first)
        assert server.connections == 1


async def test_a_later_caller_does_not_overtake_a_waiting_one(no_leaks: None) -> None:
    async with open_pool() as (pool, _):
        first, waiting = await lend_and_wait(pool)
        pool.release(first)
        late = asyncio.create_task(lend(pool))
        assert await waiting is first
        assert not late.done()
        pool.release(first)
        assert await late is first
        pool.release(first)


async def test_a_forced_new_connection_replaces_an_idle_one(no_leaks: None) -> None:
    async with open_pool() as (pool, server):
        first = await lend(pool)
        pool.release(first)
        second = await lend(pool, force_new=True)
        assert second is not first
        assert not first.is_open
        assert server.connections == 2
        pool.release(second)


async def test_a_connection_that_closed_while_handed_over_is_replaced(no_leaks: None) -> None:
    async with open_pool() as (pool, server):
        first, waiting = await lend_and_wait(pool)
        pool.release(first)
        first.abort()
        assert await waiting is not first
        assert server.connections == 2
        pool.release(waiting.result())


async def test_the_last_used_is_lent_first_so_that_the_others_can_expire(
    no_leaks: None,
) -> None:
    async with open_pool(max_connections=3) as (pool, server):
        lent = [await lend(pool) for _ in range(3)]
        for connection in lent:
            pool.release(connection)
        assert server.connections == 3
        assert await lend(pool) is lent[-1]
        pool.release(lent[-1])


async def test_only_expired_idle_connections_are_closed(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    sweeps: list[Callable[[], None]] = []
    now = loop.time()

    def schedule(_: float, sweep: Callable[[], None]) -> Mock:
        sweeps.append(sweep)
        return Mock()

    async with open_pool(max_connections=2) as (pool, _):
        lent = [await lend(pool) for _ in range(2)]
        monkeypatch.setattr(loop, "time", lambda: now)
        monkeypatch.setattr(loop, "call_at", schedule)
        pool.release(lent[0])
        now += 10
        pool.release(lent[1])
        now += 21
        sweeps.pop()()
        assert [connection.is_open for connection in lent] == [False, True]
        now += 10
        sweeps.pop()()
        assert [connection.is_open for connection in lent] == [False, False]
        assert not sweeps
        assert pool.is_empty
        monkeypatch.undo()


async def test_no_slot_is_lost_by_failures_and_cancellations(no_leaks: None) -> None:
    served = 0

    async def script(peer: Peer) -> None:
        nonlocal served
        while True:
            await peer.read_request()
            served += 1
            if served % 7 == 0:
                return peer.reset()
            if served % 11 == 0:
                return peer.send(HELLO[:-1])
            await peer.drip([HELLO[:30], HELLO[30:]])

    async def send(transport: Transport, url: str) -> bytes:
        request = httpx.Request("POST", url)
        return await (await transport.handle_async_request(request)).aread()

    async with serve_script(script) as server, Transport(max_connections=3) as transport:
        calls = [asyncio.create_task(send(transport, server.url)) for _ in range(300)]
        for call in calls[::3]:
            await asyncio.sleep(0)
            call.cancel()
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
        kinds = {type(outcome) for outcome in outcomes}
        assert kinds >= {bytes, asyncio.CancelledError}
        assert kinds <= {
            bytes,
            asyncio.CancelledError,
            httpx.ReadError,
            httpx.RemoteProtocolError,
        }
        (pool,) = transport._pools.values()
        assert pool._size == len(pool._idle) == len(pool._connections) <= 3
        assert not pool._waiters


async def test_a_connection_that_ends_just_before_its_exchange_leaves_its_slot(
    no_leaks: None,
) -> None:
    async with open_pool() as (pool, _):
        connection = await pool.acquire(RequestTimeouts(pool=5, connect=5), force_new=False)
        connection.abort()
        exchange = Exchange(connection)
        with pytest.raises(httpx.TransportError):
            exchange.begin(b"GET / HTTP/1.1\r\nHost: service.test\r\n\r\n")
        exchange.close()
        assert pool.is_empty


async def test_empty_pools_are_dropped(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.wait_closed()

    async with serve_script(script) as server:
        port = httpx.URL(server.url).port
    timeout = {"connect": 0.2}
    async with Transport() as transport:
        for number in range(1, 201):
            url = f"http://127.0.0.{number}:{port}"
            with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout)):
                await transport.handle_async_request(
                    httpx.Request("GET", url, extensions={"timeout": timeout})
                )
        assert len(transport._pools) <= 64


async def test_waiting_callers_are_served_first_in_first_out(no_leaks: None) -> None:
    gate = GatedServer()
    async with serve_script(gate) as server, Transport(max_connections=2) as transport:
        calls = []
        for number in range(8):
            calls.append(asyncio.create_task(fetch_body(transport, f"{server.url}/{number}")))
            await run_loop_turns()
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


async def test_waiting_for_the_pool_has_its_own_timeout(no_leaks: None) -> None:
    gate = GatedServer()
    async with serve_script(gate) as server, Transport(max_connections=1) as transport:
        first = asyncio.create_task(fetch_body(transport, server.url))
        await gate.arrived.get()
        with pytest.raises(httpx.PoolTimeout) as caught:
            await fetch_body(transport, server.url, pool=0.01)
        assert caught.value.request.url == server.url
        gate.leave.release()
        assert await first == b"hello"
        gate.leave.release()
        assert await fetch_body(transport, server.url, pool=5) == b"hello"


async def test_a_cancelled_waiter_takes_no_connection(no_leaks: None) -> None:
    gate = GatedServer()
    async with serve_script(gate) as server, Transport(max_connections=1) as transport:
        calls = [asyncio.create_task(fetch_body(transport, f"{server.url}/{n}")) for n in range(3)]
        assert await gate.arrived.get() == b"/0"
        calls[1].cancel()
        gate.leave.release()
        gate.leave.release()
        assert await calls[2] == b"hello"
        assert await gate.arrived.get() == b"/2"
        assert server.connections == 1


async def test_the_slot_of_a_failed_call_goes_to_the_next(no_leaks: None) -> None:
    async with (
        serve_script(respond_and_close(b"nonsense")) as server,
        Transport(max_connections=1) as transport,
    ):
        calls = [fetch_body(transport, server.url) for _ in range(5)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [httpx.RemoteProtocolError] * 5
        assert server.connections == 5


async def test_the_slot_of_a_failed_connect_is_free_again(no_leaks: None) -> None:
    async with serve_script(respond_with()) as server:
        pass
    async with Transport(max_connections=1) as transport:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await fetch_body(transport, server.url, pool=1)


async def test_an_idle_connection_closes_in_time(no_leaks: None) -> None:
    closed: asyncio.Queue[int] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(HELLO)
        await peer.wait_closed()
        closed.put_nowait(1)

    async with serve_script(script) as server, Transport(idle_seconds=0.02) as transport:
        await asyncio.gather(*(fetch_body(transport, server.url) for _ in range(3)))
        for _ in range(3):
            await asyncio.wait_for(closed.get(), 60)
        assert server.connections == 3
        assert await fetch_body(transport, server.url) == b"hello"
        assert server.connections == 4


async def test_a_connection_that_is_too_old_is_replaced(no_leaks: None) -> None:
    async with open_pool(max_age_seconds=0) as (pool, server):
        pool.release(await lend(pool))
        pool.release(await lend(pool))
        assert server.connections == 2
        assert pool.is_empty


async def test_an_old_connection_is_not_handed_to_a_waiting_caller(no_leaks: None) -> None:
    async with open_pool(max_age_seconds=0) as (pool, server):
        first, waiting = await lend_and_wait(pool)
        pool.release(first)
        pool.release(await waiting)
        assert server.connections == 2


async def test_a_connection_gets_too_old_while_it_is_idle(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_pool(max_age_seconds=40) as (pool, server):
        first = await lend(pool)
        pool.release(first)
        now = asyncio.get_running_loop().time()
        monkeypatch.setattr(pool, "loop", Mock(wraps=pool.loop, time=lambda: now + 29))
        assert await lend(pool) is first
        pool.release(first)
        now += 12
        second = await lend(pool)
        assert not first.is_open
        assert server.connections == 2
        pool.release(second)


@pytest.mark.parametrize(
    ("field", "connections"),
    [
        (b"", 1),
        (b"Keep-Alive: timeout=5\r\n", 1),
        (b"Keep-Alive: timeout=5, max=1000\r\n", 1),
        (b"Keep-Alive: max=1000\r\n", 1),
        (b"Keep-Alive: timeout=soon\r\n", 1),
        (b"Keep-Alive: timeout=0\r\n", 2),
        (b"keep-alive: max=5, TIMEOUT = 0\r\n", 2),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False])
async def test_the_idle_time_that_a_server_announces_is_kept(
    field: bytes, connections: int, is_whole: bool, no_leaks: None
) -> None:
    head = OK + b"Content-Type: application/json\r\n" + field + b"Content-Length: 11\r\n\r\n"

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            whole = head + b'{"sku":"A"}'
            await peer.drip([whole] if is_whole else [whole[:40], whole[40:]])

    async with serve_script(script) as server, ExampleClient(server.url) as client:
        await client.item("A")
        await client.item("A")
        assert server.connections == connections
    async with serve_script(script) as server, Transport() as transport:
        for _ in range(2):
            await fetch_body(transport, server.url)
        assert server.connections == connections
