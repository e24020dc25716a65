"""A client of the real Redis."""

from collections.abc import Iterator

import pytest
import redis

from tests.redis_server import RedisServer


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client that blocks."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client
