"""The replay of the rules in force gives every decision that was recorded."""

import asyncio
from collections.abc import Sequence

import pytest
import redis
from hypothesis import HealthCheck, given, settings

from gateway.ratelimit.simulation.simulate import simulate_at_once
from tests.gateway.ratelimit.recording.traffic import (
    Request,
    Step,
    Traffic,
    record_in_memory,
    record_in_redis,
    step_lists,
)

ON_REDIS = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def reproduce(traffic: Traffic, steps: Sequence[Step], rows: int) -> None:
    asyncio.run(traffic.run(steps))
    requests = sum(isinstance(step, Request) for step in steps)
    if requests:
        simulated = simulate_at_once(traffic.snapshots(), {})
        left_out = sum(simulated.covers.left_out.values())
        if rows > len(steps):
            assert simulated.covers.requests + left_out == requests


@settings(deadline=None, max_examples=300)
@given(steps=step_lists)
def test_decisions_in_memory_are_reproduced(steps: list[Step]) -> None:
    reproduce(record_in_memory(), steps, 200_000)


@settings(deadline=None, max_examples=100)
@given(steps=step_lists)
def test_every_segment_stands_alone(steps: list[Step]) -> None:
    reproduce(record_in_memory(rows=48), steps, 48)


@pytest.mark.redis
@ON_REDIS
@given(steps=step_lists)
def test_decisions_of_three_processes_in_redis_are_reproduced(
    redis_client: redis.Redis, steps: list[Step]
) -> None:
    reproduce(record_in_redis(redis_client), steps, 200_000)
