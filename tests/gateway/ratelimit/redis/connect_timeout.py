"""Sets how long connecting to Redis may take, so that a busy machine does not matter."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.ratelimit.redis import redis_limiter, redis_url


@contextmanager
def set_connect_timeout(seconds: float) -> Iterator[None]:
    """Set the timeout of each step of connecting, for the limiters of the block."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (redis_limiter, redis_url):
            patch.setattr(module, "CONNECT_SECONDS", seconds)
        yield
