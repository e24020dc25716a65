"""Clears the counts of one caller under one policy: in this process, or also in Redis."""

import asyncio
from collections.abc import Sequence

from redis.exceptions import RedisError

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import ClearableCounts
from gateway.ratelimit.policy_in_force import PolicyInForce

_TIMEOUT_SECONDS = 10.0
_RETRY_AFTER_SECONDS = 1.0


def clear_here(limiter: ClearableCounts, policy: str, partition: str) -> None:
    """Clear what this process counts and remembers. Another process clears Redis."""
    limiter.clear_local(_make_prefix(policy, partition))


async def clear_everywhere(
    limiter: ClearableCounts, in_force: Sequence[PolicyInForce], partition: str
) -> None:
    """Clear what this process counts and remembers, and the counts in Redis.

    `in_force` are the values of one policy whose windows count, or may count later. A count of
    another window, which was in force before, stays: only a scan of the server would find it.

    Raises:
        RateLimiterUnavailable: Redis cannot be reached; its counts stay.
    """
    prefix = _make_prefix(in_force[0].policy.name, partition)
    keys = {key for one in in_force for key in one.list_keys(partition)}
    limiter.clear_local(prefix)
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await limiter.clear_shared(prefix, keys)
    except (RedisError, OSError, TimeoutError) as error:
        raise RateLimiterUnavailable(_RETRY_AFTER_SECONDS) from error


def _make_prefix(policy: str, partition: str) -> str:
    """Return what all keys of a caller under a policy begin with, whatever the algorithm."""
    return f"lockgate:{{{partition}}}:{policy}:"
