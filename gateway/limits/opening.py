"""Opens the limiter that the settings ask for, and closes all that it started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from config.limits import policies
from config.settings import Counters, Settings
from gateway.limits.limiter import Limiter
from gateway.limits.memory import MemoryLimiter
from gateway.limits.policies import InForce, effective
from gateway.limits.resilient import ResilientLimiter
from gateway.limits.shared import SharedLimiter


@asynccontextmanager
async def open_limiter(settings: Settings) -> AsyncIterator[Limiter]:
    """The limiter of this process: on Redis, or in process where no URL is set.

    A Redis that is down does not keep the gateway from starting.

    Raises:
        SettingsMistaken: the settings give a rate to a policy that nobody declared.
    """
    in_force = effective(policies(), settings.limits)
    local = MemoryLimiter(settings.counters.local_keys)
    if settings.redis_url is None:
        yield InForce(local, in_force)
        return
    async with _linked(str(settings.redis_url), settings.counters) as shared:
        yield InForce(ResilientLimiter(shared, local, settings.counters.processes), in_force)


@asynccontextmanager
async def _linked(url: str, counters: Counters) -> AsyncIterator[SharedLimiter]:
    shared = SharedLimiter(
        url, timeout=counters.timeout_ms / 1_000, retry=counters.retry_ms / 1_000
    )
    running = asyncio.create_task(shared.run(), name="limits.redis")
    try:
        await shared.tried()
        yield shared
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
