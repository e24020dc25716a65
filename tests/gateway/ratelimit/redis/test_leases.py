"""Differential test: leases in a real Redis are taken, renewed and released as in process."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import Charge, LeaseUpdate
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.redis.script_call import update_leases
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import START, ManualClock, charge
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner, open_runner
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

SECONDS = 10
LEASE_TIME = SECONDS * MICROSECONDS


def hold(limit: int, lease_id: str, *, name: str = "chats", shadow: bool = False) -> Charge:
    """Make a charge under a concurrency limit."""
    [rule] = ConcurrencyLimit(name, limit, lease_seconds=SECONDS, shadow=shadow).make_rules()
    return Charge(rule, make_key(rule, "t"), 1, lease_id)


@pytest.fixture
def runner(redis_server: RedisServer) -> Iterator[ScriptRunner]:
    """The scripts, on an empty Redis."""
    with open_runner(redis_server.url) as runner:
        yield runner


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 900_000, LEASE_TIME - 1, LEASE_TIME, LEASE_TIME + 1, -900_000]),
        st.sampled_from(["take", "take", "take", "look", "renew", "release"]),
        st.integers(0, 9),
        st.sampled_from([1, 2, 4]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(schedule=steps)
def test_both_decide_alike(
    runner: ScriptRunner, schedule: list[tuple[int, str, int, int, bool]]
) -> None:
    """With other rules in the same request, limits that change, and a clock that is set back."""
    runner.client.flushdb()
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    for number, (pause, action, choice, limit, shadow) in enumerate(schedule):
        clock.now += pause
        if action in ("take", "look"):
            taken = hold(limit, f"lease-{number}", shadow=shadow)
            cost, wants_state = int(action == "take"), choice < 5
            charges = [replace(taken, cost=cost, wants_state=wants_state), charge(6, 10)]
            assert runner.decide(charges, clock.now) == memory.decide(charges), number
        else:
            update = LeaseUpdate(hold(limit, f"lease-{choice}"), action == "release")
            runner.call(update_leases([update]), clock.now)
            memory.update_leases([update])


def test_a_lease_is_taken_with_the_other_charges_or_not_at_all(runner: ScriptRunner) -> None:
    strict = charge(1, name="strict")
    assert runner.decide([hold(5, "first"), strict]).admitted
    refused = runner.decide([hold(5, "second"), strict])
    assert refused.refused_by == ("strict",)
    assert [it.remaining for it in refused.standings] == [4, 0]
    full = runner.decide([hold(1, "third"), charge(5, name="loose")])
    assert full.refused_by == ("chats",)
    assert full.retry_after == 1
    assert full.standings[1].remaining == 5


def test_the_key_expires_with_its_last_lease(runner: ScriptRunner) -> None:
    held = hold(5, "one")
    runner.decide([held])
    assert 9_000 < int(runner.client.pttl(held.key)) <= 10_000
    runner.client.pexpire(held.key, 100)
    runner.call(update_leases([LeaseUpdate(held, is_release=False)]))
    assert 9_000 < int(runner.client.pttl(held.key)) <= 10_000
    runner.call(update_leases([LeaseUpdate(held, is_release=True)]))
    assert not runner.client.exists(held.key)


def test_100_leases_of_a_killed_process_are_all_back_after_their_time(
    runner: ScriptRunner,
) -> None:
    killed = [hold(100, f"killed-{number}") for number in range(100)]
    assert all(runner.decide([one]).admitted for one in killed)
    assert not runner.decide([hold(100, "other")], START + LEASE_TIME - 1).admitted
    assert runner.decide([hold(100, "other", name="chats")], START + LEASE_TIME).admitted
    look = replace(hold(100, ""), cost=0)
    assert runner.decide([look], START + LEASE_TIME).standings[0].remaining == 99


def test_a_lease_that_had_been_lost_counts_again(runner: ScriptRunner) -> None:
    kept, lost = hold(5, "kept"), hold(5, "lost")
    runner.decide([kept])
    updates = [LeaseUpdate(kept, is_release=False), LeaseUpdate(lost, is_release=False)]
    assert runner.call(update_leases(updates)) == START
    assert runner.decide([replace(kept, cost=0)]).standings[0].remaining == 3


@pytest.mark.parametrize("score", ["-inf", "inf", "0", "-5", "1.5e300", str(START)])
def test_members_of_another_program_count_for_the_lease_time_at_most(
    runner: ScriptRunner, score: str
) -> None:
    held = hold(2, "mine")
    runner.client.zadd(held.key, {"foreign": score})
    assert runner.decide([held]).standings[0].remaining in (0, 1)
    assert runner.decide([held], START + LEASE_TIME).standings[0].remaining == 1
