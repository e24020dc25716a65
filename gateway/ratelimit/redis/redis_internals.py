"""The adapter to redis-py: the only file that uses its private or undocumented names.

Each name has a test in `tests/gateway/ratelimit/redis/test_redis_internals.py` that says what
breaks without it.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.exceptions import ResponseError

_parse_error: Callable[[str], Exception] = DefaultParser.parse_error


def parse_error(text: str) -> Exception:
    """Turn the text of an error reply into redis-py's exception, such as `NoScriptError`."""
    try:
        return _parse_error(text)
    except (ValueError, LookupError):  # redis-py parses the address in a MOVED
        return ResponseError(text)


def get_transport(connection: AbstractConnection) -> asyncio.Transport | None:
    """Return the transport of a connection, or None if it is not connected."""
    writer = connection._writer  # noqa: SLF001 - redis-py has no public name for the socket
    return None if writer is None else cast("asyncio.Transport", writer.transport)


async def has_pending_data(connection: AbstractConnection) -> bool:
    """Return whether redis-py holds data it has not read, or has seen the end of the stream.

    redis-py plans to rename `can_read`, because it reports more than data to read.
    """
    return await connection.can_read()
