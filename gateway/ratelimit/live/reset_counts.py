"""Clears the counts of one caller under one policy: in this process, or also in Redis."""

import asyncio

from redis.exceptions import RedisError

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import RateLimiter

_TIMEOUT_SECONDS = 10.0
_RETRY_AFTER_SECONDS = 1.0


def clear_here(limiter: RateLimiter, policy: str, partition: str) -> None:
    """Clear what this process counts and remembers. Another process clears Redis."""
    pending = limiter.clear(_make_prefix(policy, partition))
    if pending is not None:
        pending.close()


async def clear_everywhere(limiter: RateLimiter, policy: str, partition: str) -> None:
    """Clear what this process counts and remembers, and the counts in Redis.

    Raises:
        RateLimiterUnavailable: Redis cannot be reached; its counts stay.
    """
    pending = limiter.clear(_make_prefix(policy, partition))
    if pending is None:
        return
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await pending
    except (RedisError, OSError, TimeoutError) as error:
        raise RateLimiterUnavailable(_RETRY_AFTER_SECONDS) from error


def _make_prefix(policy: str, partition: str) -> str:
    """Return what all keys of a caller under a policy begin with, whatever the algorithm."""
    return f"lockgate:{{{partition}}}:{policy}:"
