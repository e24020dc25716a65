"""A policy with a burst, compared with GCRA as specified: a theoretical arrival time."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock, charge

WINDOW = 10


class Gcra:
    """The reference implementation in fractions: nothing is rounded."""

    def __init__(self, quota: int, burst: int) -> None:
        self.interval = Fraction(WINDOW * MICROSECONDS, quota)
        self.tolerance = self.interval * burst
        self.arrival = Fraction(0)

    def admits(self, now: int, cost: int) -> bool:
        """Admit and move the theoretical arrival time, or refuse."""
        arrival = max(self.arrival, Fraction(now)) + cost * self.interval
        if arrival - now > self.tolerance:
            return False
        self.arrival = arrival
        return True


@settings(deadline=None, max_examples=200)
@given(
    quota=st.integers(1, 50),
    burst=st.integers(1, 20),
    schedule=st.lists(
        st.tuples(st.integers(0, 3 * MICROSECONDS), st.integers(1, 4)), min_size=1, max_size=60
    ),
)
def test_it_decides_like_the_reference(
    quota: int, burst: int, schedule: list[tuple[int, int]]
) -> None:
    clock, reference = ManualClock(), Gcra(quota, burst)
    limiter = MemoryLimiter(clock=clock)
    for pause, cost in schedule:
        clock.now += pause
        verdict = limiter.decide([charge(quota, WINDOW, burst=burst, cost=cost)])
        assert verdict.admitted == reference.admits(clock.now, cost)


def test_a_burst_is_admitted_at_once_and_then_the_rate_is_steady() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    bursty = charge(60, burst=5)
    assert [limiter.decide([bursty]).admitted for _ in range(6)] == [True] * 5 + [False]
    verdict = limiter.decide([bursty])
    assert (verdict.standings[0].remaining, verdict.standings[0].reset) == (0, 1)
    assert verdict.retry_after == 1
    clock.advance(1)
    assert [limiter.decide([bursty]).admitted for _ in range(2)] == [True, False]


def test_a_raised_rate_applies_at_once() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    for _ in range(10):
        assert limiter.decide([charge(60, burst=10)]).admitted
    clock.advance(1)
    assert [limiter.decide([charge(120, burst=10)]).admitted for _ in range(3)] == [
        True,
        True,
        False,
    ]


def test_a_burst_larger_than_the_window_drains_is_not_forgotten() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    single = charge(10, 60, burst=100)
    assert limiter.decide([charge(10, 60, burst=100, cost=100)]).admitted
    clock.advance(120)
    assert limiter.decide([single]).standings[0].remaining == 19
