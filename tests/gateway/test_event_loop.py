"""A time-out takes effect only after what had arrived was delivered."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
import uvloop

from gateway.event_loop import TURNS, AfterPendingIo


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.get_loop()


def test_data_that_lies_in_the_socket_is_delivered_first(loop: asyncio.AbstractEventLoop) -> None:
    events: list[str] = []

    async def late() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        expired = loop.create_future()

        async def read() -> None:
            await reader.readexactly(1)
            events.append("read")

        def expire() -> None:
            events.append("expired")
            expired.set_result(None)

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        loop.call_later(0.001, AfterPendingIo, loop, expire)
        theirs.send(b"x")
        time.sleep(0.01)  # noqa: ASYNC251 - the loop is busy for longer than the wait
        await expired
        await reading
        writer.close()
        theirs.close()

    loop.run_until_complete(late())
    assert events == ["read", "expired"]


def test_it_takes_a_bounded_number_of_turns(loop: asyncio.AbstractEventLoop) -> None:
    async def count() -> int:
        called = asyncio.Event()
        AfterPendingIo(loop, called.set)
        turns = 0
        while not called.is_set():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert loop.run_until_complete(count()) == TURNS


def test_one_that_is_cancelled_is_never_called(loop: asyncio.AbstractEventLoop) -> None:
    called: list[str] = []

    async def cancel() -> None:
        handle = AfterPendingIo(loop, called.append, "called")
        await asyncio.sleep(0)
        handle.cancel()
        for _ in range(2 * TURNS):
            await asyncio.sleep(0)

    loop.run_until_complete(cancel())
    assert not called
