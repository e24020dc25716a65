"""`ReplyTimeout`: it counts the time that Redis takes, not the time that our loop is busy."""

import asyncio
import math
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from gateway.ratelimit.redis import reply_timeout
from gateway.ratelimit.redis.reply_timeout import ReplyTimeout


async def _reply_wins(replies: bool, seconds: float, busy: float) -> bool:
    """Return whether a reply wins that is sent while our loop is busy past the timeout."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    events: asyncio.Queue[str] = asyncio.Queue()

    async def read() -> None:
        await reader.readexactly(6)
        events.put_nowait("replied")

    def be_busy() -> None:
        time.sleep(busy)
        if replies:
            theirs.send(b"reply.")

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    ReplyTimeout(seconds, lambda: events.put_nowait("expired"))
    loop.call_soon(be_busy)
    first = await events.get()
    reading.cancel()
    writer.close()
    await writer.wait_closed()
    theirs.close()
    return first == "replied"


LOOPS = (asyncio.run, uvloop.run)


@pytest.mark.parametrize("run", LOOPS)
def test_a_reply_that_has_arrived_wins_over_a_busy_loop(run: Callable[..., bool]) -> None:
    assert run(_reply_wins(replies=True, seconds=0.005, busy=0.1))


@pytest.mark.parametrize("run", LOOPS)
def test_delivering_pending_io_alone_is_enough(
    run: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_timeout, "LATE_SECONDS", math.inf)  # no timer counts as late
    assert run(_reply_wins(replies=True, seconds=0.005, busy=0.1))


@pytest.mark.parametrize("run", LOOPS)
def test_extending_the_wait_alone_is_enough(
    run: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call_at_once(_: object, callback: Callable[[], object]) -> None:
        callback()

    monkeypatch.setattr(reply_timeout, "AfterPendingIo", call_at_once)
    assert run(_reply_wins(replies=True, seconds=0.05, busy=0.2))


@pytest.mark.parametrize("run", LOOPS)
def test_a_silent_peer_times_out(run: Callable[..., bool]) -> None:
    assert not run(_reply_wins(replies=False, seconds=0.005, busy=0))


def test_a_busy_loop_extends_the_wait_only_once() -> None:
    async def expire() -> int:
        expired, turns = asyncio.Event(), 0
        ReplyTimeout(0.005, expired.set)
        while not expired.is_set() and turns < 1_000:  # every turn of the loop is late
            time.sleep(0.01)  # noqa: ASYNC251 - the point: our own code blocks the loop
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(expire()) < 100


async def test_a_cancelled_timeout_does_nothing() -> None:
    expired = asyncio.Event()
    ReplyTimeout(0.001, expired.set).cancel()
    await asyncio.sleep(0.02)
    assert not expired.is_set()
