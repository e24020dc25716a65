"""The scripts on the real Redis."""

from collections.abc import Iterator

import pytest

from tests.gateway.ratelimit.redis.script_runner import ScriptRunner, open_runner
from tests.redis_server import RedisServer


@pytest.fixture
def runner(redis_server: RedisServer) -> Iterator[ScriptRunner]:
    """Run the scripts on a real Redis."""
    with open_runner(redis_server.url) as runner:
        yield runner
