"""The cache of one process: one of many is first, nothing is forgotten early, and it is bounded."""

import asyncio

import pytest

from gateway.errors.tree import ReplayCacheUnavailable
from gateway.replay import memory_cache
from gateway.replay.memory_cache import MemoryReplayCache


class StoppedClock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    clock = StoppedClock()
    monkeypatch.setattr(memory_cache, "monotonic", clock)
    return clock


async def test_one_of_many_is_first() -> None:
    cache = MemoryReplayCache()
    found = await asyncio.gather(*(cache.remember("proof", "a", 60) for _ in range(50)))
    assert found.count(True) == 1


async def test_kinds_are_apart() -> None:
    cache = MemoryReplayCache()
    assert await cache.remember("proof", "a", 60)
    assert await cache.remember("assertion", "a", 60)
    assert not await cache.remember("assertion", "a", 60)


async def test_a_value_is_remembered_for_its_seconds_and_no_longer(clock: StoppedClock) -> None:
    cache = MemoryReplayCache()
    assert await cache.remember("proof", "long", 60)
    assert await cache.remember("proof", "short", 10)
    clock.now += 9.9
    assert not await cache.remember("proof", "short", 10)
    clock.now += 0.1
    assert await cache.remember("proof", "short", 10)
    assert not await cache.remember("proof", "long", 60)
    clock.now += 49.9
    assert not await cache.remember("proof", "long", 60)
    clock.now += 0.1
    assert await cache.remember("proof", "long", 60)


async def test_a_full_cache_refuses_and_forgets_nothing(clock: StoppedClock) -> None:
    cache = MemoryReplayCache(max_values=2)
    assert await cache.remember("proof", "a", 30)
    assert await cache.remember("proof", "b", 60)
    with pytest.raises(ReplayCacheUnavailable, match="30") as caught:
        await cache.remember("proof", "c", 60)
    assert "2 values" in caught.value.explanation
    assert not await cache.remember("proof", "a", 60)
    assert not await cache.remember("proof", "b", 60)
    clock.now += 30
    assert await cache.remember("proof", "c", 60)
    assert not await cache.remember("proof", "b", 60)
