"""The engine of a slowapi `Limiter` in an app without a gateway, and the reset of its counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.repair import validate

_running: set[asyncio.Task[None]] = set()  # the event loop itself keeps weak references only


@asynccontextmanager
async def open_engine(redis_url: str | None, processes: int) -> AsyncIterator[RateLimiter]:
    """Open a limiter as a gateway with these settings would.

    Raises:
        InvalidSettings: the URL or the number of processes is invalid.
    """
    settings, errors = validate({"redis_url": redis_url, "counters": {"processes": processes}})
    if errors:
        raise InvalidSettings(errors)
    async with open_limiter(settings, {}) as engine:
        yield engine


def find_app_engine(request: Request) -> RateLimiter | None:
    """Return the limiter of the gateway that serves a request; None in any other app."""
    app = request.scope.get("app")  # none in a test that calls the endpoint itself
    resources = getattr(app.state, "resources", None) if app else None
    return resources.get(RateLimiter) if isinstance(resources, Resources) else None


def clear_soon(engine: RateLimiter, prefix: str) -> Awaitable[None]:
    """Drop the counts of all keys that begin with `prefix`, in this process at once.

    Those in Redis are gone when the result has been awaited, or when this returns in a thread
    without an event loop.
    """
    pending = engine.clear(prefix)
    if pending is None:
        return _Done()
    try:
        task = asyncio.get_running_loop().create_task(pending)
    except RuntimeError:
        asyncio.run(pending)
        return _Done()
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


class _Done:
    """An awaitable that has nothing left to do, and needs not be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()
