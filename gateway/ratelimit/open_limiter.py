"""Opens the limiter that the settings ask for, and closes all that it started."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from gateway.ratelimit.fallback import FallbackLimiter
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policies import PolicyOverrides, apply_rates
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.settings.schema import Counters, Settings


@asynccontextmanager
async def open_limiter(
    settings: Settings, policies: Mapping[str, RateLimit]
) -> AsyncIterator[RateLimiter]:
    """The limiter of this process: on Redis, or in process where no URL is set.

    A Redis that is down does not keep the gateway from starting.

    Raises:
        SettingsMistaken: the settings give a rate to a policy that nobody declared.
    """
    in_force = apply_rates(policies, settings.limits)
    local = MemoryLimiter(settings.counters.local_keys)
    if settings.redis_url is None:
        yield PolicyOverrides(local, in_force)
        return
    async with _linked(str(settings.redis_url), settings.counters) as shared:
        yield PolicyOverrides(FallbackLimiter(shared, local, settings.counters.processes), in_force)


@asynccontextmanager
async def _linked(url: str, counters: Counters) -> AsyncIterator[RedisLimiter]:
    shared = RedisLimiter(url, timeout=counters.timeout_ms / 1_000, retry=counters.retry_ms / 1_000)
    running = asyncio.create_task(shared.run(), name="limits.redis")
    try:
        await shared.tried()
        yield shared
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
