"""`simulate` predicts what a gateway with the proposed policies decides about the same requests."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.simulation.simulate import simulate_at_once
from tests.gateway.ratelimit.recording.traffic import (
    OVERRIDES,
    VERSIONS,
    Request,
    Traffic,
    put_in_force,
    record_in_memory,
    record_in_redis,
    request_lists,
)
from tests.gateway.ratelimit.simulation.test_reproduction import ON_REDIS

proposals = st.dictionaries(
    st.sampled_from(list(VERSIONS)),
    st.tuples(st.integers(0, 2), st.none() | st.sampled_from(OVERRIDES)),
    min_size=1,
    max_size=3,
)


def make_proposal(drawn: dict[str, tuple[int, KeyOverride | None]]) -> dict[str, PolicyInForce]:
    """Return other versions of some policies, with an override of one key each."""
    return {
        name: put_in_force(name, number, *([("user:a", override)] if override else []))
        for name, (number, override) in drawn.items()
    }


def compare(
    record: Callable[[], Traffic],
    requests: Sequence[Request],
    proposed: dict[str, PolicyInForce],
) -> None:
    """Record the requests, simulate the proposal, and let gateways enforce it."""
    traffic = record()
    asyncio.run(traffic.run(requests))
    simulation = simulate_at_once(traffic.snapshots(), proposed)
    enforced = record()
    for name, in_force in proposed.items():
        enforced.change(name, in_force)
    asyncio.run(enforced.run(requests))
    before = [verdict.admitted for verdict in traffic.verdicts]
    after = [verdict.admitted for verdict in enforced.verdicts]
    changes = Counter(zip(before, after, strict=True))
    assert simulation.covers.requests == len(requests)
    assert simulation.newly_refused == changes[True, False]
    assert simulation.newly_admitted == changes[False, True]
    for name, effect in simulation.effects.items():
        concerned = [
            index
            for index, request in enumerate(requests)
            if name in {demand[0] for demand in request.demands}
        ]
        assert effect.requests == len(concerned)
        assert effect.refused_before == sum(not before[index] for index in concerned)
        assert effect.refused_after == sum(not after[index] for index in concerned)


@settings(deadline=None, max_examples=200)
@given(requests=request_lists, drawn=proposals)
def test_the_effect_in_memory_is_predicted_exactly(
    requests: list[Request], drawn: dict[str, tuple[int, KeyOverride | None]]
) -> None:
    compare(record_in_memory, requests, make_proposal(drawn))


@pytest.mark.redis
@ON_REDIS
@given(requests=request_lists, drawn=proposals)
def test_the_effect_in_redis_is_predicted_exactly(
    redis_client: redis.Redis,
    requests: list[Request],
    drawn: dict[str, tuple[int, KeyOverride | None]],
) -> None:
    compare(lambda: record_in_redis(redis_client), requests, make_proposal(drawn))
