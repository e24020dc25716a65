"""`delete_keys`: deletes counts, on a connection of its own that no check waits for."""

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool

_BATCH = 1_000
_TIMEOUT = 5.0  # seconds, for one command


async def delete_keys(pool: ConnectionPool, prefix: str, keys: Sequence[str] = ()) -> None:
    """Delete `keys`; without any, all keys that begin with `prefix`, which scans the server.

    They are deleted on the server that `pool` connects to. The user of the URL needs the commands
    SCAN and UNLINK. Keys that are created meanwhile may stay.

    Raises:
        RedisError, OSError: the server cannot be reached, or refuses a command.
    """
    options = {**pool.connection_kwargs, "socket_timeout": _TIMEOUT}
    own = ConnectionPool(connection_class=pool.connection_class, max_connections=1, **options)
    async with Redis.from_pool(own) as redis:
        if keys:
            await redis.unlink(*keys)
            return
        cursor = 0
        while True:
            cursor, found = await redis.scan(cursor, match=f"{_escape(prefix)}*", count=_BATCH)
            if found:
                await redis.unlink(*found)
            if not cursor:
                return


def _escape(prefix: str) -> str:
    """Escape what is special in a pattern of SCAN."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in prefix)
