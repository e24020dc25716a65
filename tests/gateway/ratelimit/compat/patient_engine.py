"""Lets the limiter of an app that is not a gateway wait long for Redis: the machine may be busy."""

from contextlib import AbstractAsyncContextManager

import pytest

from gateway.ratelimit.compat import slowapi_engine
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.settings.schema import Settings


def wait_long_for_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Limiter.open`, which has no setting for it, wait a second for each reply."""

    def open_patiently(settings: Settings) -> AbstractAsyncContextManager[RateLimiter]:
        counters = settings.counters.model_copy(update={"timeout_ms": 1_000})
        return open_limiter(settings.model_copy(update={"counters": counters}))

    monkeypatch.setattr(slowapi_engine, "open_limiter", open_patiently)
