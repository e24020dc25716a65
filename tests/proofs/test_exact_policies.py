"""Every kind of policy stays exact over four processes and one Redis, in 50 rounds each."""

import pytest

from tests.gateway.ratelimit.redis.spending_processes import find_wrong_counts, start_spenders
from tests.redis_server import RedisServer

PROCESSES, ROUNDS, REQUESTS = 4, 50, 100

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(900)]


def test_50_rounds_admit_exactly_the_quota_of_every_kind(own_redis: RedisServer) -> None:
    with start_spenders(own_redis.url, PROCESSES) as spenders:
        for number in range(ROUNDS):
            assert find_wrong_counts(spenders, f"round{number}", REQUESTS) == {}
