"""The cache in a real Redis: several processes share it, and without Redis nothing is accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from gateway.errors.tree import ReplayCacheUnavailable
from gateway.ratelimit.redis.commands import TIMEOUT_SECONDS
from gateway.replay import ReplayCache, open_replay_cache
from gateway.settings.schema import Counters, Settings
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def open_cache(stack: AsyncExitStack, server: RedisServer, prefix: str = "") -> ReplayCache:
    settings = Settings(redis_url=server.url, counters=Counters(key_prefix=prefix))
    return await stack.enter_async_context(open_replay_cache(settings))


async def test_one_of_fifty_in_several_processes_is_first(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    caches = [await open_cache(stack, redis_server) for _ in range(5)]
    for value in ("a", "b", "c"):
        calls = [cache.remember("proof", value, 60) for cache in caches for _ in range(10)]
        assert (await asyncio.gather(*calls)).count(True) == 1


async def test_a_key_has_the_prefix_an_expiry_and_a_hash(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    cache = await open_cache(stack, redis_server, "staging:")
    assert await cache.remember("proof", "\n any text", 7.5)
    keys = await list_keys(redis_server)
    assert len(keys) == 1
    assert keys[0].startswith("staging:lockgate:used:proof:")
    assert "any" not in keys[0]
    assert 7_000 < int(redis_server.command("PTTL", keys[0])[1:]) <= 7_500
    assert await (await open_cache(stack, redis_server)).remember("proof", "\n any text", 7.5)
    assert await cache.remember("assertion", "\n any text", 7.5)


async def list_keys(server: RedisServer) -> list[str]:

    async with Redis.from_url(server.url) as client:
        return [key.decode() for key in await client.keys("*") if isinstance(key, bytes)]


async def test_a_value_is_first_again_when_its_time_is_over(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    cache = await open_cache(stack, redis_server)
    assert await cache.remember("proof", "a", 0.05)
    async with asyncio.timeout(60):
        while not await cache.remember("proof", "a", 0.05):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_without_redis_each_call_fails_within_its_timeout(
    stack: AsyncExitStack, own_redis: RedisServer
) -> None:
    cache = await open_cache(stack, own_redis)
    assert await cache.remember("proof", "a", 60)
    own_redis.pause()
    async with asyncio.timeout(TIMEOUT_SECONDS * 4):
        calls = [cache.remember("proof", str(number), 60) for number in range(20)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(failure, ReplayCacheUnavailable) for failure in failures)
    own_redis.resume()
    assert not await cache.remember("proof", "a", 60)
    own_redis.kill()
    with pytest.raises(ReplayCacheUnavailable) as caught:
        await cache.remember("proof", "b", 60)
    assert caught.value.explanation
    assert caught.value.status == 503
    own_redis.start()
    assert await cache.remember("proof", "b", 60)
    assert not await cache.remember("proof", "b", 60)
