"""Charges that are settled later, compared with the costs that the requests had in the end.

Never above the limit: what is given back is no more than what a request with its true cost would
have left.
"""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge, Mark, Settlement, Verdict
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock, charge

WINDOW = 10
MICRO_WINDOW = WINDOW * MICROSECONDS
RESERVED = 20

Schedule = list[tuple[int, bool, int, int]]
pauses = st.one_of(
    st.sampled_from([0, 1, 166_666, 166_667, MICRO_WINDOW - 1, MICRO_WINDOW, MICRO_WINDOW + 1]),
    st.integers(0, MICRO_WINDOW // 5),
)
schedules = st.lists(
    st.tuples(pauses, st.booleans(), st.integers(0, 50), st.integers(0, RESERVED)),
    min_size=1,
    max_size=60,
)


@dataclass
class Admitted:
    """The reference: one request, with the cost that counts for it now."""

    at: int
    cost: int
    charge: Charge
    before: Mark
    verdict: Verdict
    is_settled: bool = False


class Traffic:
    """Requests that reserve RESERVED, and are settled in any order or never."""

    def __init__(self, template: Charge, late_by: int = 0) -> None:
        self.clock = ManualClock()
        self.limiter = MemoryLimiter(clock=self.clock)
        self.charge = template
        self.admitted: list[Admitted] = []
        self._late_by = late_by

    def reserve(self) -> bool:
        """Send a request; `late_by` microseconds pass between the mark and the charge."""
        before = self.limiter.mark()
        self.clock.now += self._late_by
        verdict = self.limiter.decide([self.charge])
        if verdict.admitted:
            admitted = Admitted(self.clock.now, RESERVED, self.charge, before, verdict)
            self.admitted.append(admitted)
        return verdict.admitted

    def settle(self, choice: int, cost: int) -> None:
        """Settle one of the open requests."""
        open_ones = [it for it in self.admitted if not it.is_settled]
        if open_ones:
            one = open_ones[choice % len(open_ones)]
            one.is_settled, one.cost = True, cost
            difference = cost - RESERVED
            settlement = Settlement([(one.charge, difference)], one.before, one.verdict)
            self.limiter.settle(settlement)

    def sum_costs(self) -> int:
        """Return the costs of the requests in the window that ends now."""
        now = self.clock.now
        return sum(one.cost for one in self.admitted if one.at > now - MICRO_WINDOW)


@settings(deadline=None, max_examples=300)
@given(quota=st.sampled_from([RESERVED, 45, 60]), schedule=schedules)
def test_a_small_quota_is_settled_exactly(quota: int, schedule: Schedule) -> None:
    traffic = Traffic(charge(quota, WINDOW, cost=RESERVED))
    for pause, reserves, choice, cost in schedule:
        traffic.clock.now += pause
        if reserves:
            fits = traffic.sum_costs() + RESERVED <= quota
            assert traffic.reserve() == fits
        else:
            traffic.settle(choice, cost)


@settings(deadline=None, max_examples=300)
@given(
    quota=st.integers(RESERVED, 400),
    schedule=schedules,
    late_by=st.sampled_from([0, 1, 20_000, 2 * MICROSECONDS]),
)
def test_no_window_holds_more_than_the_quota(quota: int, schedule: Schedule, late_by: int) -> None:
    """Also if the time of the charge is known too early, as it is on the clock of the process."""
    traffic = Traffic(charge(quota, WINDOW, cost=RESERVED), late_by)
    for pause, reserves, choice, cost in schedule:
        traffic.clock.now += pause
        if reserves:
            traffic.reserve()
            assert traffic.sum_costs() <= quota
        else:
            traffic.settle(choice, cost)


def compute_level(traffic: Traffic, quota: int) -> Fraction:
    """Return the level of a leaky bucket that was charged the costs that count now."""
    level, at = Fraction(0), 0
    for one in traffic.admitted:
        level = max(Fraction(0), level - Fraction((one.at - at) * quota, MICRO_WINDOW)) + one.cost
        at = one.at
    return max(Fraction(0), level - Fraction((traffic.clock.now - at) * quota, MICRO_WINDOW))


@settings(deadline=None, max_examples=300)
@given(
    quota=st.integers(5, 200),
    burst=st.integers(RESERVED, 90),
    schedule=schedules,
    late_by=st.sampled_from([0, 1, 20_000]),
)
def test_a_steady_rate_never_holds_more_than_its_burst(
    quota: int, burst: int, schedule: Schedule, late_by: int
) -> None:
    traffic = Traffic(charge(quota, WINDOW, burst=burst, cost=RESERVED), late_by)
    for pause, reserves, choice, cost in schedule:
        traffic.clock.now += pause
        if reserves:
            if traffic.reserve():
                assert compute_level(traffic, quota) <= burst
        else:
            traffic.settle(choice, cost)


def test_what_a_steady_rate_gives_back_is_available_at_once() -> None:
    traffic = Traffic(charge(10, WINDOW, burst=RESERVED, cost=RESERVED))
    assert traffic.reserve()
    assert not traffic.reserve()
    traffic.settle(0, 0)
    assert traffic.reserve()


def test_a_cost_in_excess_is_charged_whether_it_fits_or_not() -> None:
    traffic = Traffic(charge(100, WINDOW, cost=RESERVED))
    assert traffic.reserve()
    traffic.settle(0, 500)
    assert not traffic.reserve()
    traffic.clock.advance(WINDOW)
    assert traffic.reserve()


def test_nothing_is_given_back_once_the_counts_have_been_cleared() -> None:
    traffic = Traffic(charge(40, WINDOW, cost=RESERVED))
    assert traffic.reserve()
    traffic.limiter.clear_local("lockgate:")
    assert traffic.reserve()
    assert traffic.reserve()
    traffic.settle(0, 0)
    assert not traffic.reserve()
