"""`open_limiter`: builds the limiter that the settings ask for, and closes it at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from gateway.background_tasks import cancel_and_wait
from gateway.ratelimit.fallback import FallbackLimiter
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.prefetched_quota import PrefetchedQuota
from gateway.ratelimit.redis.count_restorer import CountRestorer
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.ratelimit.refused_keys import RefusedKeys
from gateway.settings.schema import Settings

RETRIES_IN_NEW_EPOCH = 4
"""How long all processes wait for each other's counts in a Redis that has lost them, in attempts to
connect. A process notices the loss after two of them at most, and is connected after two more."""


@asynccontextmanager
async def open_limiter(
    settings: Settings, policies: Iterable[Policy] = (), settled: Iterable[str] = ()
) -> AsyncIterator[RateLimiter]:
    """Open the limiter of this process: on Redis, or in process if no URL is set.

    Its health says what these policies do while Redis does not count. Charges of the policies
    `settled` may be given back by any process.
    The gateway also starts while Redis is down; the limiter connects later. An unexpected exception
    of the first attempt to connect ends the start.
    """
    counters = settings.counters
    local = MemoryLimiter(counters.local_keys)
    if settings.redis_url is None:
        yield local
        return
    unsent = MemoryLimiter(counters.local_keys)
    wait = RETRIES_IN_NEW_EPOCH * counters.retry_ms / 1_000
    restorer = CountRestorer(local, unsent, processes=counters.processes, wait=wait)
    without_redis = _describe_fallbacks(policies)
    async with _run_redis_limiter(settings, restorer, without_redis) as shared:
        yield FallbackLimiter(
            shared,
            local,
            unsent=unsent,
            refused=RefusedKeys(counters.local_keys, settled=settled),
            prefetched=PrefetchedQuota(counters.local_keys, counters.processes),
            processes=counters.processes,
        )


@asynccontextmanager
async def _run_redis_limiter(
    settings: Settings, restorer: CountRestorer, without_redis: str
) -> AsyncIterator[RedisLimiter]:
    counters = settings.counters
    limiter = RedisLimiter(
        str(settings.redis_url),
        timeout=counters.timeout_ms / 1_000,
        retry=counters.retry_ms / 1_000,
        key_prefix=counters.key_prefix,
        ca_file=settings.tls.ca_file,
        restorer=restorer,
        without_redis=without_redis,
    )
    task = asyncio.create_task(limiter.run(), name="ratelimit.redis")
    try:
        await limiter.wait_first_attempt()
        yield limiter
    finally:
        await cancel_and_wait(task)


def _describe_fallbacks(policies: Iterable[Policy]) -> str:
    """Return the names of the policies by their fallback: `deny: chat; local: dashboards, home`."""
    names: dict[str, list[str]] = {}
    for policy in policies:
        names.setdefault(policy.without_redis, []).append(policy.name)
    return "; ".join(f"{kind}: {', '.join(sorted(names[kind]))}" for kind in sorted(names))
