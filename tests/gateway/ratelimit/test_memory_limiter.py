"""`MemoryLimiter`: several policies at once, changed quotas, a bounded number of keys."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import RateLimit
from tests.gateway.ratelimit.charges import ManualClock, charge

costs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40
)


def remaining(limiter: MemoryLimiter, *charges: Charge) -> list[int]:
    """The remaining quota of each, read with charges at no cost."""
    verdict = limiter.decide([replace(one, cost=0) for one in charges])
    return [standing.remaining for standing in verdict.standings]


@settings(deadline=None, max_examples=100)
@given(schedule=costs)
def test_all_policies_are_charged_or_none(schedule: list[tuple[int, int, int]]) -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    kinds = [charge(7, name="a"), charge(70, name="b"), charge(9, name="c", burst=5)]
    left = [7, 70, 5]
    for costs_now in schedule:
        charges = [replace(kind, cost=cost) for kind, cost in zip(kinds, costs_now, strict=True)]
        verdict = limiter.decide(charges)
        fits = all(cost <= rest for cost, rest in zip(costs_now, left, strict=True))
        assert verdict.admitted == fits
        if fits:
            left = [rest - cost for cost, rest in zip(costs_now, left, strict=True)]
        assert remaining(limiter, *kinds) == left


def test_a_refusal_names_the_policy_and_charges_no_other() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    strict, loose = charge(1, name="strict"), charge(5, name="loose")
    limiter.decide([strict, loose])
    verdict = limiter.decide([strict, loose])
    assert (verdict.admitted, verdict.refused_by) == (False, ("strict",))
    assert [standing.remaining for standing in verdict.standings] == [0, 4]


def test_a_shadow_policy_reports_a_refusal_and_admits() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    shadow, real = charge(1, name="shadow", shadow=True), charge(3, name="real")
    verdicts = [limiter.decide([shadow, real]) for _ in range(4)]
    assert [verdict.admitted for verdict in verdicts] == [True, True, True, False]
    assert verdicts[1].standings[0].retry_after == 60
    assert verdicts[3].refused_by == ("real",)


@pytest.mark.parametrize("burst", [None, 5])
def test_a_shadow_policy_reports_what_it_would_refuse_if_it_were_enforced(
    burst: int | None,
) -> None:
    clock = ManualClock()
    shadow, enforced = MemoryLimiter(clock=clock), MemoryLimiter(clock=clock)
    policy = RateLimit("pages", "3/second, 60/minute", burst=burst)
    rules, shadow_rules = policy.make_rules(), policy.change(shadow=True).make_rules()
    other = charge(10_000, name="other")
    for _ in range(600):
        clock.advance(0.25)
        verdict = enforced.decide([Charge(rule, make_key(rule, "t")) for rule in rules])
        report = shadow.decide([other, *(Charge(it, make_key(it, "t")) for it in shadow_rules)])
        assert report.admitted
        assert any(it.retry_after for it in report.standings) == (not verdict.admitted)
    assert report.standings[0].remaining == 10_000 - 240  # of a minute


def test_a_changed_quota_applies_at_once_and_keeps_the_count() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    for _ in range(8):
        limiter.decide([charge(10)])
    assert limiter.decide([charge(20)]).standings[0].remaining == 11
    assert not limiter.decide([charge(5)]).admitted
    assert limiter.decide([charge(20, 3_600)]).standings[0].remaining == 19  # counts anew


def test_recorded_charges_are_counted() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    for _ in range(5):
        limiter.record([charge(3)])
    assert not limiter.decide([charge(3)]).admitted


def charge_key(key: str, window: int = 60) -> Charge:
    """Make a charge of one policy with this key."""
    return replace(charge(1, window), key=key)


def test_expired_keys_are_evicted_before_keys_in_use() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(max_keys=3, clock=clock)
    limiter.decide([charge_key("day", 86_400)])
    limiter.decide([charge_key("second", 1)])
    limiter.decide([charge_key("minute")])
    clock.advance(2)
    limiter.decide([charge_key("new")])  # "second" has expired; "day" is older, and has not
    assert not limiter.decide([charge_key("day", 86_400)]).admitted
    assert not limiter.decide([charge_key("minute")]).admitted
    assert limiter.health()["keys"] == 3


def test_if_none_has_expired_the_least_recently_used_is_evicted() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(max_keys=2, clock=clock)
    for key in ("first", "second"):
        limiter.decide([charge_key(key)])
        clock.advance(1)
    limiter.decide([charge_key("first")])  # refused, but used
    limiter.decide([charge_key("third")])
    assert not limiter.decide([charge_key("first")]).admitted
    assert limiter.health()["keys"] == 2
    assert limiter.decide([charge_key("second")]).admitted


def test_expired_keys_are_dropped_while_others_come() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    for number in range(1_000):
        limiter.decide([charge_key(f"caller {number}")])
        clock.advance(1)
    assert int(limiter.health()["keys"]) <= 61


def test_the_keys_with_a_prefix_are_dropped() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    kinds = [charge(9, name="a"), charge(9, 70, name="ab", burst=5), charge(9, name="b")]
    limiter.decide(kinds)
    limiter.clear_local("lockgate:{t}:a")
    assert limiter.health()["keys"] == 1
    assert remaining(limiter, *kinds) == [9, 5, 8]


@pytest.fixture
def fast_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_another_thread_may_clear_during_checks(fast_switches: None) -> None:
    limiter, has_ended = MemoryLimiter(max_keys=3), Event()
    kinds = [charge(9, window, name=f"p{window}") for window in range(1, 5)]

    def clear() -> None:
        while not has_ended.is_set():
            limiter.clear_local("lockgate:")

    thread = Thread(target=clear)
    thread.start()
    try:
        for _ in range(3_000):
            limiter.decide(kinds)
    finally:
        has_ended.set()
        thread.join()
    limiter.clear_local("")
    assert limiter.health()["keys"] == 0
