"""`open_replay_cache`: opens the cache for DPoP proofs that the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ratelimit.redis.commands import open_commands
from gateway.replay.memory_cache import MemoryReplayCache
from gateway.replay.redis_cache import RedisReplayCache
from gateway.replay.replay_cache import ReplayCache
from gateway.settings.schema import Settings


def is_shared_cache_missing(settings: Settings) -> bool:
    """Whether each of several processes would accept a value once, as nothing is shared."""
    return settings.redis_url is None and settings.counters.processes > 1


@asynccontextmanager
async def open_replay_cache(settings: Settings) -> AsyncIterator[ReplayCache]:
    """Open the cache of this process: in Redis if `redis_url` is set, else in its memory.

    It connects to Redis with the first value.
    """
    if settings.redis_url is not None:
        async with open_commands(settings) as commands:
            yield RedisReplayCache(commands)
    else:
        yield MemoryReplayCache()
