"""Many requests of all kinds at once: nothing is left behind, and a restart loses nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.gateway.proxy.serve_proxy import Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import HELLO, OK, Peer

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"5\r\nhello\r\n"
LAST_CHUNK = b"0\r\n\r\n"
PUT = b"PUT /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n\r\nhello"

CALLERS, RESTARTS = 16, 30
REQUESTS = 1_000


class RestartingService:
    """A service that closes each connection without a request in flight when it restarts."""

    def __init__(self) -> None:
        self.served = 0
        self._idle: set[Peer] = set()

    async def __call__(self, peer: Peer) -> None:
        try:
            while True:
                self._idle.add(peer)
                await peer.read_request()
                self._idle.discard(peer)
                self.served += 1
                await asyncio.sleep(0)
                peer.send(HELLO)
        finally:
            self._idle.discard(peer)

    def restart(self) -> None:
        """Close the connections; a request that is on its way arrives at a closed one."""
        for peer in self._idle:
            peer.writer.close()


async def test_a_restart_loses_no_idempotent_request_that_has_not_begun(no_leaks: None) -> None:
    service = RestartingService()
    is_over = False

    async def call(proxy: ServedProxy) -> int:
        caller, count = await proxy.connect(), 0
        while not is_over:
            if count % 2:
                caller.send(PUT)
            else:
                caller.get()
            assert await caller.read_body() == b"hello"
            count += 1
        return count

    async with serve_proxy(service) as proxy:
        calls = [asyncio.create_task(call(proxy)) for _ in range(CALLERS)]
        for number in range(RESTARTS):
            await wait_until(lambda least=number * 20: service.served > least)  # type: ignore[misc]
            service.restart()
        await wait_until(lambda: service.served > RESTARTS * 20)
        is_over = True
        assert sum(await asyncio.gather(*calls)) == service.served
        assert proxy.service.connections > CALLERS


async def send_events(peer: Peer) -> None:
    peer.send(EVENTS)
    while True:
        peer.send(CHUNK)
        await asyncio.sleep(0.01)


async def reset(peer: Peer) -> None:
    peer.reset()


async def refuse(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge")
    await peer.wait_closed()


ENDS = {b"/events": send_events, b"/reset": reset, b"/refused": refuse}
"""How a connection ends, by the path of its request."""


async def serve_by_path(peer: Peer) -> None:
    """Respond as the path says."""
    while True:
        request = await peer.reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ")[1]
        if path in ENDS:
            await ENDS[path](peer)
            return
        if b"transfer-encoding" in request.lower():
            await peer.reader.readuntil(LAST_CHUNK)
        if path == b"/cut":
            peer.send(CHUNKED + CHUNK)
            return
        await peer.drip([HELLO] if path == b"/whole" else [CHUNKED, CHUNK, LAST_CHUNK])


async def read_whole(caller: Caller) -> None:
    caller.get("/service/whole")
    assert await caller.read_body() == b"hello"


async def read_pieces(caller: Caller) -> None:
    caller.get("/service/pieces", b"Transfer-Encoding: chunked", method="POST")
    await asyncio.sleep(0)
    caller.send(CHUNK + LAST_CHUNK)
    await caller.read_head()
    assert await caller.read(len(CHUNK + LAST_CHUNK)) == CHUNK + LAST_CHUNK


async def leave_events(caller: Caller) -> None:
    caller.get("/service/events")
    await caller.read_head()
    assert await caller.read(len(CHUNK)) == CHUNK


async def leave_a_request(caller: Caller) -> None:
    caller.get("/service/pieces", b"Content-Length: 100", method="POST")
    caller.send(b"x" * 10)
    await asyncio.sleep(random.random() * 0.01)


async def see_a_cut(caller: Caller) -> None:
    caller.get("/service/cut")
    with suppress(ConnectionError):
        assert not (await caller.read_to_the_end()).endswith(LAST_CHUNK)


async def see_a_reset(caller: Caller) -> None:
    caller.get("/service/reset", method="POST")
    assert (await caller.read_head()).startswith(b"HTTP/1.1 503 ")


async def see_a_refusal(caller: Caller) -> None:
    caller.get("/service/refused", b"Transfer-Encoding: chunked", method="POST")
    caller.send(CHUNK)
    assert (await caller.read_head()).startswith(b"HTTP/1.1 413 ")


KINDS: list[Callable[[Caller], Awaitable[None]]] = [
    read_whole, read_pieces, leave_events, leave_a_request, see_a_cut, see_a_reset, see_a_refusal
]  # fmt: skip


async def test_requests_of_all_kinds_leave_nothing_behind(no_leaks: None) -> None:
    slots = asyncio.Semaphore(CALLERS)
    choose = random.Random(1)

    async def call(proxy: ServedProxy, kind: Callable[[Caller], Awaitable[None]]) -> None:
        async with slots:
            caller = await proxy.connect()
            try:
                await kind(caller)
            finally:
                caller.writer.transport.abort()

    async with serve_proxy(serve_by_path) as proxy:
        await asyncio.gather(*(call(proxy, choose.choice(KINDS)) for _ in range(REQUESTS)))
        await wait_until(lambda: proxy.streams.count == proxy.in_flight == 0)
        await wait_until(lambda: proxy.pool._size == len(proxy.pool._idle))
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not names & {"request", "upload"}
