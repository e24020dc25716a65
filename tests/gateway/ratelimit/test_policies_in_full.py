"""Policies with windows, tiers, costs and overrides, compared with a plain model of them."""

from collections import defaultdict
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import START, ManualClock
from tests.gateway.ratelimit.reference_limits import (
    ReferenceLimits,
    Request,
    Scale,
    Window,
)

SCALE = Scale(START / MICROSECONDS)
EXACT = st.integers(1, 30)  # twice as much, by an override, is still counted exactly
FASTEST = 800  # the largest quota below, twice as much by an override
ANY = st.one_of(EXACT, st.integers(61, 400))


def open_limits(in_force: list[PolicyInForce], clock: ManualClock) -> Limits:
    """Count in process, by one clock."""
    limiter = MemoryLimiter(clock=clock)
    return Limits(limiter, PoliciesInForce(in_force), clock=lambda: clock.now / MICROSECONDS)


async def decide(limits: Limits, request: Request) -> bool:
    """Return whether a request is admitted; a refusal says when to come again."""
    policies = {it.policy.name: it.policy for it in limits.policies}
    demands = [
        Demand(policies[name], request.partition, request.tier, cost)
        for name, cost in request.costs.items()
    ]
    verdict = await limits.enforce(demands)
    assert verdict.admitted == (not verdict.retry_after) == (not verdict.violated)
    assert set(verdict.refused_by) <= set(request.costs)
    return verdict.admitted


@settings(deadline=None, max_examples=60)
@given(in_force=SCALE.sets_in_force(EXACT), schedule=SCALE.schedules())
async def test_every_decision_is_that_of_the_model(
    in_force: list[PolicyInForce], schedule: list[Request]
) -> None:
    clock, model = ManualClock(), ReferenceLimits(in_force)
    limits = open_limits(in_force, clock)
    for request in schedule:
        clock.now += request.pause
        assert await decide(limits, request) == model.admits(request, clock.now)


@settings(deadline=None, max_examples=60)
@given(versions=st.lists(SCALE.sets_in_force(EXACT), min_size=2, max_size=4), seed=st.integers())
async def test_values_changed_at_run_time_keep_the_counts(
    versions: list[list[PolicyInForce]], seed: int
) -> None:
    """A changed quota, tier or override counts the next request; another window begins anew."""
    random, clock, model = Random(seed), ManualClock(), ReferenceLimits(versions[0])
    limits = open_limits(versions[0], clock)
    for request in SCALE.make_schedule(seed):
        clock.now += request.pause
        if random.random() < 0.1:
            changed = random.choice(random.choice(versions))
            limits.policies.replace(changed.policy.name, changed)
            model.replace(changed)
        assert await decide(limits, request) == model.admits(request, clock.now)


@settings(deadline=None, max_examples=60)
@given(
    in_force=SCALE.sets_in_force(ANY),
    schedule=SCALE.schedules(),
    times=st.integers(1, 40),
)
async def test_no_window_ever_holds_more_than_its_quota(
    in_force: list[PolicyInForce], schedule: list[Request], times: int
) -> None:
    """Whatever the quotas are, and however large the costs: checked for every admission."""
    clock, model = ManualClock(), ReferenceLimits(in_force)
    limits = open_limits(in_force, clock)
    admitted = defaultdict[tuple[str, str, int, bool], list[tuple[int, int]]](list)
    for request in schedule:
        clock.now += request.pause
        costs = {name: cost * times for name, cost in request.costs.items()}
        if not await decide(limits, Request(0, request.partition, request.tier, costs)):
            continue
        for name, cost in costs.items():
            for window in model.list_windows(name, request.partition, request.tier, clock.now):
                admitted[window.key].append((clock.now, cost))
                if cost and not window.is_shadow:
                    assert_within(window, admitted[window.key], clock.now)


def assert_within(window: Window, charges: list[tuple[int, int]], now: int) -> None:
    """Check each interval that ends now: a burst, or a window of the length of the rule."""
    length = window.key[2] * MICROSECONDS
    if window.burst is None:
        assert sum(cost for at, cost in charges if at > now - length) <= window.quota
        return
    total = 0
    for at, cost in reversed(charges):
        total += cost
        drained = FASTEST * (now - at)  # in an interval with other tiers and overrides, at most
        assert (total - window.burst) * length <= drained
