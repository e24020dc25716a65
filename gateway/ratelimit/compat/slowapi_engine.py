"""The engine of a slowapi `Limiter` in an app without a gateway, and the reset of its counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import asynccontextmanager
from logging import ERROR, getLogger
from typing import Any

from redis.exceptions import RedisError
from starlette.requests import Request

from gateway.ratelimit.limiter import ClearableCounts, RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.redis.failures import describe_failure
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.repair import validate
from gateway.telemetry.log import log_event

log = getLogger("lockgate.ratelimit")


@asynccontextmanager
async def open_engine(redis_url: str | None, processes: int) -> AsyncIterator[RateLimiter]:
    """Open a limiter as a gateway with these settings would.

    Raises:
        InvalidSettings: the URL or the number of processes is invalid.
    """
    settings, errors = validate({"redis_url": redis_url, "counters": {"processes": processes}})
    if errors:
        raise InvalidSettings(errors)
    async with open_limiter(settings) as engine:
        yield engine


def find_app_engine(request: Request) -> RateLimiter | None:
    """Return the limiter of the gateway that serves a request; None in any other app."""
    app = request.scope.get("app")  # none in a test that calls the endpoint itself
    resources = getattr(app.state, "resources", None) if app else None
    return resources.get(RateLimiter) if isinstance(resources, Resources) else None


def clear_soon(engine: ClearableCounts, prefix: str) -> Awaitable[None]:
    """Drop the counts of all keys that begin with `prefix`, in this process at once.

    Those in Redis are gone when the result has been awaited, or when this returns in a thread
    without an event loop. A failure is raised there; it is logged if the result is not awaited.
    """
    engine.clear_local(prefix)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(engine.clear_shared(prefix))
        return _Done()
    return _Clearing(loop.create_task(engine.clear_shared(prefix)))


class _Done:
    """An awaitable that has nothing left to do, and needs not be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


class _Clearing:
    """An awaitable for a task that also runs to its end if nothing awaits it."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task
        self._is_awaited = False
        _running.add(self)
        task.add_done_callback(self._on_end)

    def __await__(self) -> Generator[Any, None, None]:
        self._is_awaited = True
        return self._task.__await__()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        _running.discard(self)
        # Without a look at the exception, asyncio itself would report it, at any later time.
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._is_awaited:
            is_expected = isinstance(error, RedisError | OSError)
            traceback, reason = None if is_expected else error, describe_failure(error)
            log_event(log, "redis.reset_failed", ERROR, traceback, reason=reason)


_running: set[_Clearing] = set()  # the event loop itself keeps weak references only
