"""`open_replay_cache`: opens the cache that the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ratelimit.redis.commands import open_commands
from gateway.replay.memory_cache import MemoryReplayCache
from gateway.replay.redis_cache import RedisReplayCache
from gateway.replay.replay_cache import ReplayCache
from gateway.replay.table_cache import TableReplayCache
from gateway.settings.schema import Settings
from gateway.storage.database import Database


@asynccontextmanager
async def open_replay_cache(
    settings: Settings, database: Database | None = None
) -> AsyncIterator[ReplayCache]:
    """Open the cache of this process: in Redis if `redis_url` is set, else in `database`.

    Without either, it is in the memory of the process. It connects to Redis with the first value.
    """
    if settings.redis_url is not None:
        async with open_commands(settings) as commands:
            yield RedisReplayCache(commands)
    elif database is not None:
        yield TableReplayCache(database)
    else:
        yield MemoryReplayCache()
