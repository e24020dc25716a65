"""The ceiling on a check: it ends a wait for Redis, never a wait for ourselves."""

import asyncio
import socket
import time

import uvloop

from gateway.limits.deadline import Deadline


async def _answered(delay: float, ceiling: float, busy: float) -> bool:
    """Whether an answer that a peer gives after `delay` wins, though we are busy meanwhile."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    scope = asyncio.timeout(None)
    try:
        async with scope:
            deadline = Deadline(ceiling, lambda: scope.reschedule(loop.time()))
            if delay == 0:
                theirs.send(b"answer")
            loop.call_soon(time.sleep, busy)
            await reader.readexactly(6)
            deadline.cancel()
    except TimeoutError:
        return False
    else:
        return True
    finally:
        writer.close()
        await writer.wait_closed()
        theirs.close()


def test_a_reply_that_has_arrived_wins_over_a_busy_loop() -> None:
    for run in (asyncio.run, uvloop.run):
        assert run(_answered(delay=0, ceiling=0.005, busy=0.1))


def test_a_peer_that_is_silent_is_given_up() -> None:
    for run in (asyncio.run, uvloop.run):
        assert not run(_answered(delay=1, ceiling=0.005, busy=0))


def test_a_busy_loop_prolongs_the_wait_only_once() -> None:
    async def expire() -> float:
        loop = asyncio.get_running_loop()
        expired = asyncio.Event()
        Deadline(0.005, expired.set)
        began = loop.time()
        while not expired.is_set():  # every round of the loop is late
            time.sleep(0.01)  # noqa: ASYNC251 - the point: our own code blocks the loop
            await asyncio.sleep(0)
        return loop.time() - began

    assert asyncio.run(expire()) < 5


async def test_a_cancelled_deadline_does_nothing() -> None:
    expired = asyncio.Event()
    Deadline(0.001, expired.set).cancel()
    await asyncio.sleep(0.02)
    assert not expired.is_set()
