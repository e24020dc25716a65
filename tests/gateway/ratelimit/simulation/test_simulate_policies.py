"""`simulate` predicts what a gateway with the proposed policies decides about the same requests."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.simulation.effect import KeyEffect
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.ratelimit.simulation.simulate_policies import simulate
from tests.gateway.ratelimit.charges import START
from tests.gateway.ratelimit.recording.traffic import (
    OVERRIDES,
    VERSIONS,
    Change,
    Correction,
    Request,
    Step,
    Traffic,
    corrected_lists,
    put_in_force,
    record_in_memory,
    record_in_redis,
    request_lists,
    send_burst,
)
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner
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
    requests: Sequence[Step],
    proposed: dict[str, PolicyInForce],
) -> None:
    """Record the requests, simulate the proposal, and let gateways enforce it."""
    traffic = record()
    asyncio.run(traffic.run(requests))
    sent = [step for step in requests if isinstance(step, Request)]
    if not sent:
        return
    simulation = simulate(traffic.snapshots(), proposed)
    enforced = record()
    for name, in_force in proposed.items():
        enforced.change(name, in_force)
    asyncio.run(enforced.run(requests))
    before = [verdict.admitted for verdict in traffic.verdicts]
    after = [verdict.admitted for verdict in enforced.verdicts]
    changes = Counter(zip(before, after, strict=True))
    # Nothing was recorded about what a request that is newly admitted would have settled or held.
    assume(len(sent) == len(requests) or not changes[False, True])
    assert simulation.covers.requests == len(sent)
    assert simulation.newly_refused == changes[True, False]
    assert simulation.newly_admitted == changes[False, True]
    for name, effect in simulation.effects.items():
        concerned = [
            index
            for index, request in enumerate(sent)
            if name in {demand[0] for demand in request.demands}
        ]
        assert effect.requests == len(concerned)
        assert effect.refused_before == sum(not before[index] for index in concerned)
        assert effect.refused_after == sum(not after[index] for index in concerned)


@settings(deadline=None, max_examples=100)
@given(requests=request_lists, drawn=proposals)
def test_the_effect_in_memory_is_predicted_exactly(
    requests: list[Step], drawn: dict[str, tuple[int, KeyOverride | None]]
) -> None:
    compare(record_in_memory, requests, make_proposal(drawn))


@pytest.mark.redis
@ON_REDIS
@given(requests=request_lists, drawn=proposals)
def test_the_effect_in_redis_is_predicted_exactly(
    runner: ScriptRunner,
    requests: list[Step],
    drawn: dict[str, tuple[int, KeyOverride | None]],
) -> None:
    compare(lambda: record_in_redis(runner), requests, make_proposal(drawn))


@pytest.mark.redis
@pytest.mark.parametrize("number", range(3))
async def test_refusals_under_a_prefetch_are_predicted_but_for_what_is_not_used(
    runner: ScriptRunner, number: int
) -> None:
    """Three processes get 1,500 requests in 30 seconds: three times the quota."""
    name, requests = "prefetched", send_burst("prefetched", "user:a", [20_000] * 1_500)
    recorded = record_in_redis(runner)
    await recorded.run(requests)
    proposed = {name: put_in_force(name, number)}
    effect = simulate(recorded.snapshots(), proposed).effects[name]
    enforced = record_in_redis(runner)
    enforced.change(name, proposed[name])
    await enforced.run(requests)
    refused = sum(not verdict.admitted for verdict in enforced.verdicts)
    assert 0.95 * refused <= effect.refused_after <= refused


STRICTER = {
    "tokens": PolicyInForce(RateLimit("tokens", "12/10seconds", cost=8)),
    "chats": PolicyInForce(ConcurrencyLimit("chats", 1, lease_seconds=20)),
}


@settings(deadline=None, max_examples=80)
@given(requests=corrected_lists)
def test_settled_charges_and_leases_in_memory_are_predicted(requests: list[Step]) -> None:
    compare(record_in_memory, requests, STRICTER)


@pytest.mark.redis
@ON_REDIS
@given(requests=corrected_lists)
def test_settled_charges_and_leases_in_redis_are_predicted(
    runner: ScriptRunner, requests: list[Step]
) -> None:
    compare(lambda: record_in_redis(runner), requests, STRICTER)


def record(requests: Sequence[Step]) -> Traffic:
    """Record requests in memory."""
    traffic = record_in_memory()
    asyncio.run(traffic.run(requests))
    return traffic


def send(name: str, count: int, partition: str = "user:a") -> list[Step]:
    """Return requests under one policy, one per millisecond."""
    return [Request(1_000, 0, ((name, partition, None, 1),)) for _ in range(count)]


def test_the_effect_is_told_by_key_with_what_it_is_based_on() -> None:
    traffic = record([*send("bucketed", 40), *send("bucketed", 20, "user:b"), *send("exact", 1)])
    proposed = {"bucketed": PolicyInForce(RateLimit("bucketed", "30/10seconds"))}
    simulation = simulate(traffic.snapshots(), proposed)
    effect = simulation.effects["bucketed"]
    assert effect.list_keys(1) == [KeyEffect("user:a", requests=40, newly_refused=10)]
    assert effect.list_keys(20) == [
        KeyEffect("user:a", requests=40, newly_refused=10),
        KeyEffect("user:b", requests=20),
    ]
    assert not effect.restarts_counts
    covers = simulation.covers
    assert (covers.requests, covers.keys, covers.left_out) == (61, 2, {})
    assert covers.processes == ["process 0", "process 1", "process 2"]
    assert covers.begin == START / MICROSECONDS - 1e-6
    assert covers.seconds == pytest.approx(60.061)
    assert "reproduce all decisions of 61 recorded requests" in simulation.accuracy


def test_another_window_begins_with_nothing_used() -> None:
    traffic = record(send("bucketed", 50))
    proposed = {"bucketed": PolicyInForce(RateLimit("bucketed", "30/minute"))}
    simulation = simulate(traffic.snapshots(), proposed)
    assert simulation.effects["bucketed"].restarts_counts
    assert simulation.newly_refused == 20
    assert "Counts begin with nothing used, as when it is applied: bucketed." in simulation.accuracy


def change(name: str, *overrides: tuple[str, KeyOverride]) -> Change:
    """Return a change of a policy that leaves its declared values."""
    return Change(name, 0, overrides)


def test_the_effect_is_the_difference_to_what_is_in_force_now() -> None:
    """The policy was 100/10seconds at first, and is 70/10seconds now."""
    steps = [*send("bucketed", 90), Change("bucketed", 1, ()), *send("bucketed", 5)]
    traffic = record(steps)
    assert sum(verdict.admitted for verdict in traffic.verdicts) == 90
    now = {"bucketed": put_in_force("bucketed", 1)}
    same = simulate(traffic.snapshots(), now, now)
    assert (same.newly_refused, same.newly_admitted) == (0, 0)
    assert same.effects["bucketed"].refused_before == 25
    assert "The values in force have changed meanwhile" in same.accuracy
    lower = {"bucketed": PolicyInForce(RateLimit("bucketed", "60/10seconds"))}
    effect = simulate(traffic.snapshots(), lower, now).effects["bucketed"]
    assert (effect.newly_refused, effect.own.newly_refused) == (10, 10)
    then = simulate(traffic.snapshots(), now)
    assert (then.newly_refused, then.newly_admitted) == (20, 0)


@pytest.mark.parametrize("kind", ["block", "allow"])
def test_the_effect_of_an_override_is_on_its_caller_alone(kind: Literal["block", "allow"]) -> None:
    override = change("bucketed", ("user:a", KeyOverride(kind)))
    steps = [*send("bucketed", 40), *send("bucketed", 120, "user:b"), override]
    traffic = record([*steps, *send("bucketed", 10)])
    now = {"bucketed": put_in_force("bucketed", 0, ("user:a", KeyOverride(kind)))}
    more = put_in_force("bucketed", 0, ("user:b", KeyOverride("times", times=2)))
    proposed = {
        "bucketed": PolicyInForce(
            more.policy, overrides={**now["bucketed"].overrides, **more.overrides}
        )
    }
    effect = simulate(traffic.snapshots(), proposed, now).effects["bucketed"]
    assert (effect.newly_refused, effect.newly_admitted) == (0, 20)
    assert effect.list_keys(1) == [KeyEffect("user:b", requests=120, newly_admitted=20)]
    without = simulate(traffic.snapshots(), {"bucketed": put_in_force("bucketed", 0)}, now)
    changed = 50 if kind == "block" else 0
    assert (without.newly_refused, without.newly_admitted) == (0, changed)


def test_the_values_of_now_are_not_simulated_if_they_were_so_all_along() -> None:
    traffic = record(send("bucketed", 50))
    now = {"bucketed": put_in_force("bucketed", 0)}
    assert "changed meanwhile" not in simulate(traffic.snapshots(), now, now).accuracy


def test_a_refusal_that_was_remembered_is_of_its_policy() -> None:
    """A process refuses a caller that Redis has just refused, without a look at the counts."""
    traffic = record([*send("bucketed", 100), *send("exact", 1)])
    policy, process = VERSIONS["bucketed"][0], traffic.processes[0]
    demands = [Demand(policy, "user:a"), Demand(VERSIONS["exact"][0], "user:a")]
    rule_sets = [put_in_force(it.policy.name, 0).find_rules("user:a", None, 0) for it in demands]
    refused = Verdict(admitted=False, refused_by=("bucketed",), is_remembered=True)
    process.recorder.observe(demands, rule_sets, [], refused)
    proposed = {"bucketed": PolicyInForce(RateLimit("bucketed", "200/10seconds"))}
    own = simulate(traffic.snapshots(), proposed).effects["bucketed"].own
    assert (own.refused_before, own.refused_after, own.newly_admitted) == (1, 0, 1)


def test_a_proposed_shadow_tells_what_it_would_refuse() -> None:
    traffic = record(send("bucketed", 50))
    shadow = RateLimit("bucketed", "30/10seconds", shadow=True)
    simulation = simulate(traffic.snapshots(), {"bucketed": PolicyInForce(shadow)})
    effect = simulation.effects["bucketed"]
    assert (effect.newly_refused, effect.shadow_refused) == (0, 20)


def test_requests_newly_admitted_hold_their_lease_for_the_mean_time() -> None:
    """Each lasts a second: with one lease every other is refused, with two none is."""
    steps: list[Step] = []
    for _ in range(10):
        steps += [Request(500_000, 0, (("chats", "user:a", None, 1),))]
        steps += [Request(250_000, 0, (("chats", "user:a", None, 1),))]
        steps += [Request(1, 0, (("chats", "user:a", None, 1),))]
        steps += [
            Correction(250_000, 2, 0, is_renewal=False),
            Correction(1, 1, 0, is_renewal=False),
        ]
    traffic = record(steps)
    assert sum(verdict.admitted for verdict in traffic.verdicts) == 20
    four = PolicyInForce(ConcurrencyLimit("chats", 4, lease_seconds=20))
    simulation = simulate(traffic.snapshots(), {"chats": four})
    assert simulation.newly_admitted == 10
    assert "10 requests that are newly admitted are assumed to last as long" in simulation.accuracy


def test_a_rate_cannot_be_simulated_as_a_concurrency_limit() -> None:
    traffic = record(send("exact", 1))
    with pytest.raises(CannotSimulate, match="nothing says how long they lasted"):
        simulate(traffic.snapshots(), {"exact": PolicyInForce(ConcurrencyLimit("exact", 4))})
