"""`RedisCommands`: commands other than checks of rate limits, each bounded in time."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.ratelimit.redis.failures import bound_step, describe_failure
from gateway.ratelimit.redis.redis_url import create_blocking_pool, is_tls
from gateway.settings.schema import Settings

TIMEOUT_SECONDS = 0.5
"""The bound of one command, with the connect before it and the wait for a connection."""

_MAX_CONNECTIONS = 4

T = TypeVar("T")


class RedisCommandFailed(Exception):
    """Redis did not reply in time, or with an error; it may have run the command."""


class RedisCommands:
    """Runs commands; `prefix` is what each key begins with."""

    def __init__(self, redis: Redis, prefix: str, *, is_tls: bool = False) -> None:
        self.redis = redis
        self.prefix = prefix
        self._is_tls = is_tls

    async def run(self, command: Awaitable[T]) -> T:
        """Wait for the reply to a command of `redis`.

        Raises:
            RedisCommandFailed: Redis did not reply in time, or with an error.
        """
        try:
            async with bound_step("to a command", TIMEOUT_SECONDS):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            raise RedisCommandFailed(describe_failure(error, is_tls=self._is_tls)) from error


@asynccontextmanager
async def open_commands(settings: Settings) -> AsyncIterator[RedisCommands]:
    """Open connections to `redis_url`, which must be set; they are not those of the rate limits.

    It connects with the first command.
    """
    url = str(settings.redis_url)
    pool = create_blocking_pool(
        url,
        settings.tls.ca_file,
        max_connections=_MAX_CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
    )
    async with Redis.from_pool(pool) as redis:
        yield RedisCommands(redis, settings.counters.key_prefix, is_tls=is_tls(url))
