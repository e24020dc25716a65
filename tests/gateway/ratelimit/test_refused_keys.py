"""`RefusedKeys`: a refusal is remembered exactly as long as Redis would refuse, and no longer."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.refused_keys import RefusedKeys
from tests.gateway.ratelimit.charges import ManualClock, charge

MAX_DELAY = 9_000
KINDS = (charge(3, 10, name="window"), charge(20, 10, name="steady", burst=4))

steps = st.lists(
    st.tuples(
        st.integers(0, 3_000_000),
        st.sampled_from(KINDS),
        st.integers(1, 6),
        st.integers(0, MAX_DELAY),
    ),
    max_size=80,
)


class Caller:
    """Asks the memory first, and then a limiter that stands for Redis."""

    def __init__(self, max_keys: int = 10) -> None:
        self.clock = ManualClock()
        self.limiter = MemoryLimiter(clock=self.clock)
        self.memory = RefusedKeys(max_keys, self.clock)
        self.asked = 0

    def check(self, *charges: Charge, delay: int = 0) -> Verdict:
        """Decide; the limiter gets the charges after a delay, and the reply takes as long."""
        found = self.memory.find(charges)
        if found is not None:
            return found
        begun = self.memory.begin_check()
        self.asked += 1
        self.clock.now += delay
        verdict = self.limiter.decide(charges)
        self.clock.now += delay
        if not verdict.admitted:
            self.memory.remember(charges, verdict, begun)
        return verdict


@settings(deadline=None, max_examples=200)
@given(steps)
def test_what_it_refuses_the_limiter_would_refuse_now(
    steps: list[tuple[int, Charge, int, int]],
) -> None:
    caller = Caller()
    for pause, kind, cost, delay in steps:
        caller.clock.now += pause
        one = replace(kind, cost=cost)
        found = caller.memory.find([one])
        if found is not None:
            truth = caller.limiter.decide([one])
            assert not found.admitted
            assert not truth.admitted
            assert found.retry_after <= truth.retry_after
            assert found.refused_by == truth.refused_by
            assert found.now <= caller.clock.now + MAX_DELAY
        caller.check(one, delay=delay)


def test_a_caller_that_goes_on_costs_one_check_until_it_may_pass() -> None:
    caller = Caller()
    one = charge(1, 10)
    assert caller.check(one).admitted
    refused = [caller.check(one) for _ in range(1_000)]
    assert not any(verdict.admitted for verdict in refused)
    assert caller.asked == 2
    caller.clock.advance(4)
    assert caller.check(one).retry_after == 6
    assert caller.check(one).standings[0].reset == 6
    caller.clock.advance(6)
    assert caller.check(one).admitted
    assert caller.asked == 3


def test_one_refused_charge_refuses_the_request_and_names_its_policy() -> None:
    caller = Caller()
    strict = charge(1, 10, name="strict")
    caller.check(strict)
    caller.check(strict)
    verdict = caller.check(charge(9, name="other"), strict, charge(9, name="third"))
    assert (verdict.admitted, verdict.refused_by) == (False, ("strict",))
    assert caller.asked == 2


def test_another_rule_of_the_same_key_is_decided_anew() -> None:
    caller = Caller()
    caller.check(charge(1, 10))
    assert not caller.check(charge(1, 10)).admitted
    raised = replace(charge(5, 10), key=charge(1, 10).key)
    assert caller.check(raised).admitted


def test_a_clear_drops_refusals_by_prefix_and_those_in_flight() -> None:
    caller = Caller()
    cleared, kept = charge(1, 10, name="cleared"), charge(1, 10, name="kept")
    for one in (cleared, cleared, kept, kept):
        caller.check(one)
    begun = caller.memory.begin_check()
    verdict = caller.limiter.decide([cleared])
    caller.memory.clear(cleared.key)
    caller.memory.remember([cleared], verdict, begun)
    assert caller.memory.find([cleared]) is None
    assert caller.memory.find([kept]) is not None


def test_refusals_of_policies_that_are_settled_elsewhere_are_not_remembered() -> None:
    clock = ManualClock()
    memory, limiter = RefusedKeys(10, clock, settled=["tokens"]), MemoryLimiter(clock=clock)
    settled, other = charge(1, 10, name="tokens"), charge(1, 10, name="other")
    for one in (settled, settled, other, other):
        memory.remember([one], limiter.decide([one]), memory.begin_check())
    assert memory.find([settled]) is None
    assert memory.find([other]) is not None


def test_shadow_policies_and_charges_that_want_the_state_are_left_to_redis() -> None:
    caller = Caller()
    shadow, real = charge(1, 10, name="shadow", shadow=True), charge(1, 10, name="real")
    caller.check(shadow, real)
    caller.check(shadow, real)
    assert caller.memory.find([shadow]) is None
    assert caller.memory.find([real]) is not None
    assert caller.memory.find([replace(real, wants_state=True)]) is None


def test_the_number_of_keys_is_bounded_and_the_least_used_goes_first() -> None:
    caller = Caller(max_keys=2)
    first, second, third = [charge(1, 10, name=name) for name in ("first", "second", "third")]
    for one in (first, first, second, second, first, third, third):
        caller.check(one)
    assert len(caller.memory) == 2
    assert caller.memory.find([second]) is None
    assert caller.memory.find([first]) is not None


def test_refusals_of_a_policy_whose_charges_are_settled_are_not_remembered() -> None:
    caller = Caller()
    settled, other = charge(1, 10, name="settled"), charge(1, 10, name="other")
    for one in (settled, settled, other, other):
        caller.check(one)
    caller.memory.exclude({"settled"})
    assert caller.memory.find([settled]) is None
    assert not caller.check(settled).admitted
    assert caller.memory.find([settled]) is None
    assert caller.memory.find([other]) is not None
