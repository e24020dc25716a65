"""Time that is shared by all waits of a call, and what ends a wait."""

import asyncio
from unittest.mock import Mock

import httpx
import pytest

from gateway.transport.timeouts import DeadlineTimeouts, expire


def test_what_is_left_is_for_all_waits_together() -> None:
    loop = Mock()
    loop.time.return_value = 100.0
    waits = DeadlineTimeouts(loop, ends_at=102.0, connect=1)
    assert (waits.pool, waits.connect) == (2, 1)
    loop.time.return_value = 101.5
    assert (waits.pool, waits.connect) == (0.5, 0.5)
    loop.time.return_value = 103.0
    assert (waits.pool, waits.connect) == (0, 0)


async def test_a_timer_ends_a_wait_with_its_error() -> None:
    waiter = asyncio.get_running_loop().create_future()
    expire(waiter, httpx.PoolTimeout)
    with pytest.raises(httpx.PoolTimeout):
        await waiter


async def test_what_arrives_in_the_moment_the_timer_fires_counts() -> None:
    waiter = asyncio.get_running_loop().create_future()
    expire(waiter, httpx.ReadTimeout)
    assert not waiter.done()
    waiter.set_result("here")
    await asyncio.sleep(0.005)
    assert await waiter == "here"
