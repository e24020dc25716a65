"""The sliding window, compared with a plain list of all admitted charges."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.algorithms.sliding_window import BUCKETS
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock, charge

WINDOW = 10
MICRO_WINDOW = WINDOW * MICROSECONDS
BUCKET_WIDTH = MICRO_WINDOW // BUCKETS

# Pauses around the edges: none, a microsecond, a bucket, a window, and some in between.
pauses = st.one_of(
    st.sampled_from(
        [0, 0, 1, BUCKET_WIDTH - 1, BUCKET_WIDTH, BUCKET_WIDTH + 1, MICRO_WINDOW - 1, MICRO_WINDOW]
    ),
    st.integers(0, MICRO_WINDOW // 4),
)
arrivals = st.lists(st.tuples(pauses, st.integers(1, 5)), min_size=1, max_size=80)


class Log:
    """The reference: every admitted charge with its time; none is ever dropped."""

    def __init__(self) -> None:
        self.charges: list[tuple[int, int]] = []

    def sum_charges(self, now: int, window: int = MICRO_WINDOW) -> int:
        """Return the sum of the charges in the window that ends now."""
        return sum(cost for at, cost in self.charges if at > now - window)


@settings(deadline=None, max_examples=150)
@given(quota=st.integers(1, BUCKETS), schedule=arrivals)
def test_a_small_quota_is_counted_exactly(quota: int, schedule: list[tuple[int, int]]) -> None:
    clock, log = ManualClock(), Log()
    limiter = MemoryLimiter(clock=clock)
    for pause, cost in schedule:
        clock.now += pause
        verdict = limiter.decide([charge(quota, WINDOW, cost=cost)])
        assert verdict.admitted == (log.sum_charges(clock.now) + cost <= quota)
        if verdict.admitted:
            log.charges.append((clock.now, cost))
        assert verdict.standings[0].remaining == quota - log.sum_charges(clock.now)


@settings(deadline=None, max_examples=150)
@given(quota=st.integers(BUCKETS + 1, 150), schedule=arrivals, times=st.integers(5, 30))
def test_a_large_quota_is_never_exceeded_and_at_most_a_bucket_too_strict(
    quota: int, schedule: list[tuple[int, int]], times: int
) -> None:
    clock, log = ManualClock(), Log()
    limiter = MemoryLimiter(clock=clock)
    for pause, cost in schedule:
        clock.now += pause
        if limiter.decide([charge(quota, WINDOW, cost=cost * times)]).admitted:
            log.charges.append((clock.now, cost * times))
            assert log.sum_charges(clock.now) <= quota
        else:
            assert log.sum_charges(clock.now, MICRO_WINDOW + BUCKET_WIDTH) + cost * times > quota


@settings(deadline=None, max_examples=100)
@given(quota=st.sampled_from([3, 40, 90]), schedule=arrivals)
def test_retry_after_is_the_first_moment_at_which_the_charge_fits(
    quota: int, schedule: list[tuple[int, int]]
) -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    for pause, cost in schedule:
        clock.now += pause
        verdict = limiter.decide([charge(quota, WINDOW, cost=cost)])
        if not verdict.admitted and cost <= quota:
            wait = round(verdict.retry_after * MICROSECONDS)
            assert verdict.standings[0].reset <= verdict.retry_after
            clock.now += wait - 1
            assert not limiter.decide([charge(quota, WINDOW, cost=cost)]).admitted
            clock.now += 1
            assert limiter.decide([charge(quota, WINDOW, cost=cost)]).admitted


def test_two_bursts_around_a_boundary_do_not_double_the_quota() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    clock.advance(59.9)
    assert sum(limiter.decide([charge(120)]).admitted for _ in range(200)) == 120
    clock.advance(0.2)  # a minute of the wall clock ends between the two
    assert sum(limiter.decide([charge(120)]).admitted for _ in range(200)) == 0
    clock.advance(59.8)
    assert sum(limiter.decide([charge(120)]).admitted for _ in range(200)) == 120


def test_a_large_quota_needs_few_buckets() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    for _ in range(30_000):
        clock.advance(0.005)
        limiter.decide([charge(100_000)])
    [states] = limiter._by_window.values()
    [state] = states.values()
    assert len(state._buckets) <= BUCKETS + 2  # type: ignore[attr-defined]


def test_a_key_far_over_its_quota_stays_small() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    for _ in range(5_000):
        clock.advance(0.01)
        limiter.record([charge(3)])
    [states] = limiter._by_window.values()
    [state] = states.values()
    assert len(state._buckets) <= 2 * BUCKETS + 2  # type: ignore[attr-defined]


def test_a_cost_above_the_quota_never_fits_and_spends_nothing() -> None:
    limiter = MemoryLimiter(clock=ManualClock())
    verdict = limiter.decide([charge(5, cost=6)])
    assert not verdict.admitted
    assert verdict.retry_after == 60
    assert limiter.decide([charge(5, cost=5)]).admitted


def test_a_clock_that_is_set_back_gives_no_quota_back() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock=clock)
    assert limiter.decide([charge(1)]).admitted
    clock.advance(-3_600)
    assert not limiter.decide([charge(1)]).admitted
