"""A timeout takes effect only after data that had arrived has been delivered."""

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import Iterator

import pytest
import uvloop

from gateway.pending_io import TURNS, AfterPendingIo, TimeoutAfterPendingIo


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


def test_a_cancelled_callback_is_never_called(loop: asyncio.AbstractEventLoop) -> None:
    called: list[str] = []

    async def cancel() -> None:
        handle = AfterPendingIo(loop, called.append, "called")
        await asyncio.sleep(0)
        handle.cancel()
        for _ in range(2 * TURNS):
            await asyncio.sleep(0)

    loop.run_until_complete(cancel())
    assert not called


def test_it_leaves_no_reference_cycle(loop: asyncio.AbstractEventLoop) -> None:
    class Callback:
        def __call__(self) -> None:
            pass

    async def is_gone() -> bool:
        callback = Callback()
        reference = weakref.ref(callback)
        AfterPendingIo(loop, callback)
        del callback
        for _ in range(2 * TURNS):
            await asyncio.sleep(0)
        return reference() is None

    gc.disable()
    try:
        assert loop.run_until_complete(is_gone())
    finally:
        gc.enable()


def test_a_block_is_cancelled_when_its_time_is_over(loop: asyncio.AbstractEventLoop) -> None:
    async def wait() -> None:
        async with TimeoutAfterPendingIo(0.001):
            await loop.create_future()

    with pytest.raises(TimeoutError):
        loop.run_until_complete(wait())


@pytest.mark.parametrize("seconds", [None, 0, 0.001])
def test_a_block_that_has_ended_is_not_cancelled(
    loop: asyncio.AbstractEventLoop, seconds: float | None
) -> None:
    async def wait() -> None:
        async with TimeoutAfterPendingIo(seconds):
            pass
        for _ in range(2 * TURNS):
            await asyncio.sleep(0)
        await asyncio.sleep(0.003)

    loop.run_until_complete(wait())


def test_a_block_is_not_cancelled_while_its_data_lies_in_the_socket(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def read() -> bytes:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)

        def keep_busy() -> None:
            theirs.send(b"x")
            time.sleep(0.02)

        try:
            async with TimeoutAfterPendingIo(0.01):
                loop.call_soon(keep_busy)
                return await reader.readexactly(1)
        finally:
            writer.close()
            theirs.close()

    assert loop.run_until_complete(read()) == b"x"


def test_an_error_of_the_block_passes_through(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        async with TimeoutAfterPendingIo(1):
            raise LookupError

    with pytest.raises(LookupError):
        loop.run_until_complete(fail())
