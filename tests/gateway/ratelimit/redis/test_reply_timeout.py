"""The ceiling on a check: it ends a wait for Redis, never a wait for ourselves."""

import asyncio
import math
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from gateway.ratelimit.redis import reply_timeout
from gateway.ratelimit.redis.reply_timeout import ReplyTimeout


async def _answered(answers: bool, ceiling: float, busy: float) -> bool:
    """Whether an answer wins that a peer gives while we are busy, past the ceiling."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    events: asyncio.Queue[str] = asyncio.Queue()

    async def read() -> None:
        await reader.readexactly(6)
        events.put_nowait("answered")

    def be_busy() -> None:
        time.sleep(busy)
        if answers:
            theirs.send(b"answer")

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    ReplyTimeout(ceiling, lambda: events.put_nowait("expired"))
    loop.call_soon(be_busy)
    first = await events.get()
    reading.cancel()
    writer.close()
    await writer.wait_closed()
    theirs.close()
    return first == "answered"


LOOPS = (asyncio.run, uvloop.run)


@pytest.mark.parametrize("run", LOOPS)
def test_a_reply_that_has_arrived_wins_over_a_busy_loop(run: Callable[..., bool]) -> None:
    assert run(_answered(answers=True, ceiling=0.005, busy=0.1))


@pytest.mark.parametrize("run", LOOPS)
def test_the_last_polls_alone_are_enough_for_it(
    run: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_timeout, "LATE_SECONDS", math.inf)  # no timer counts as late
    assert run(_answered(answers=True, ceiling=0.005, busy=0.1))


@pytest.mark.parametrize("run", LOOPS)
def test_the_longer_wait_alone_is_enough_for_it(
    run: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call_at_once(_: object, callback: Callable[[], object]) -> None:
        callback()

    monkeypatch.setattr(reply_timeout, "AfterPendingIo", call_at_once)
    assert run(_answered(answers=True, ceiling=0.05, busy=0.2))


@pytest.mark.parametrize("run", LOOPS)
def test_a_peer_that_is_silent_is_given_up(run: Callable[..., bool]) -> None:
    assert not run(_answered(answers=False, ceiling=0.005, busy=0))


def test_a_busy_loop_prolongs_the_wait_only_once() -> None:
    async def expire() -> float:
        loop = asyncio.get_running_loop()
        expired = asyncio.Event()
        ReplyTimeout(0.005, expired.set)
        began = loop.time()
        while not expired.is_set():  # every round of the loop is late
            time.sleep(0.01)  # noqa: ASYNC251 - the point: our own code blocks the loop
            await asyncio.sleep(0)
        return loop.time() - began

    assert asyncio.run(expire()) < 5


async def test_a_cancelled_one_does_nothing() -> None:
    expired = asyncio.Event()
    ReplyTimeout(0.001, expired.set).cancel()
    await asyncio.sleep(0.02)
    assert not expired.is_set()
