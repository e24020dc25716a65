"""Differential test: charges are settled in a real Redis as in process."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge, Mark, Settlement, Verdict
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.redis.script_call import settle
from tests.gateway.ratelimit.charges import START, ManualClock, charge
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner, open_runner
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

KINDS = (
    charge(50, 10, name="exact"),
    charge(300, 10, name="bucketed"),
    charge(70, 10, name="gcra", burst=40),
    charge(5, 10, name="shadow", shadow=True),
)
Step = tuple[int, str, int, int]  # the pause, the action, the reservation, the cost


def reserve(pause: int, cost: int) -> Step:
    """Return a step that charges `cost`."""
    return pause, "reserve", 0, cost


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 40_000, 166_666, 166_667, 900_000, 9_999_999, 10**7, -500_000]),
        st.sampled_from(["reserve", "reserve", "settle"]),
        st.integers(0, 9),
        st.sampled_from([0, 1, 3, 10, 30, 45]),
    ),
    min_size=1,
    max_size=50,
)


@pytest.fixture
def runner(redis_server: RedisServer) -> Iterator[ScriptRunner]:
    """The scripts, on an empty Redis."""
    with open_runner(redis_server.url) as runner:
        yield runner


@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(schedule=steps, kind=st.sampled_from(KINDS))
# A look at a key that has expired, and then a clock that is set back.
@example(schedule=[reserve(0, 1), reserve(10**7, 0), reserve(-500_000, 1)], kind=KINDS[0])
@example(schedule=[reserve(0, 1), reserve(10**7, 0), reserve(-500_000, 1)], kind=KINDS[1])
@example(schedule=[reserve(0, 1), reserve(166_667, 0), reserve(-500_000, 1)], kind=KINDS[2])
# The same, if all but the oldest charge was given back before.
@example(
    schedule=[
        reserve(0, 1),
        reserve(900_000, 3),
        (0, "settle", 1, 0),
        reserve(9_999_999, 0),
        reserve(-500_000, 1),
        reserve(-500_000, 1),
    ],
    kind=KINDS[0],
)
@example(schedule=[reserve(0, 1), (0, "settle", 0, 0), reserve(-500_000, 1)], kind=KINDS[2])
def test_both_settle_alike(runner: ScriptRunner, schedule: list[Step], kind: Charge) -> None:
    runner.client.flushdb()
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    reserved: list[tuple[Charge, Verdict]] = []
    for number, (pause, action, choice, cost) in enumerate(schedule):
        clock.now += pause
        if action == "reserve":
            taken = replace(kind, cost=cost, wants_state=True)
            verdict = memory.decide([taken])
            assert runner.decide([taken], clock.now) == verdict, number
            if verdict.admitted:
                reserved.append((taken, verdict))
        elif reserved:
            taken, verdict = reserved.pop(choice % len(reserved))
            settlement = Settlement([(taken, cost - taken.cost)], Mark(verdict.now, 0), verdict)
            if cost != taken.cost:
                memory.settle(settlement)
                assert runner.call(settle(settlement), clock.now) == clock.now


def test_what_was_not_used_is_available_at_once(runner: ScriptRunner) -> None:
    used = charge(100, cost=90)
    verdict = runner.decide([used])
    assert not runner.decide([replace(used, cost=20)]).admitted
    runner.call(settle(Settlement([(used, -80)], Mark(0, 0), verdict)), START + 5)
    assert runner.decide([replace(used, cost=90)], START + 5).admitted
    assert not runner.decide([replace(used, cost=1)], START + 5).admitted


def test_a_charge_in_excess_of_the_quota_is_counted(runner: ScriptRunner) -> None:
    used = charge(100, cost=10)
    verdict = runner.decide([used])
    runner.call(settle(Settlement([(used, 500)], Mark(0, 0), verdict)))
    refused = runner.decide([replace(used, cost=1)])
    assert not refused.admitted
    assert refused.standings[0].remaining == 0


def test_what_was_charged_without_redis_is_given_back_by_its_age(runner: ScriptRunner) -> None:
    used, steady = charge(100, cost=90), charge(60, name="steady", burst=50, cost=50)
    verdict = runner.decide([used, steady])
    elsewhere = Verdict(admitted=True, now=5, degraded="local")
    differences = [(used, -80), (steady, -40)]
    settlement = Settlement(differences, Mark(0, 0), elsewhere, age=3_000_000)
    runner.call(settle(settlement), verdict.now + 2_000_000)
    looks = [replace(used, cost=0), replace(steady, cost=0)]
    standings = runner.decide(looks, verdict.now + 2_000_000).standings
    assert [it.remaining for it in standings] == [90, 39]  # of 40, three seconds have drained 3


def test_nothing_is_given_back_to_a_key_that_has_expired_or_was_written_by_another_program(
    runner: ScriptRunner,
) -> None:
    used = charge(100, cost=10)
    verdict = runner.decide([used])
    settlement = Settlement([(used, -10)], Mark(0, 0), verdict)
    runner.client.delete(used.key)
    runner.call(settle(settlement))
    assert not runner.client.exists(used.key)
    runner.client.hset(used.key, mapping={"t": "x", "n": "-1"})
    runner.call(settle(settlement))
    assert runner.decide([used]).standings[0].remaining == 90
