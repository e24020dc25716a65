"""`PrefetchedQuota`: never above the limit, against a plain list of all admissions."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.prefetch_numbers import get_prefetch, get_shared_numbers, get_spending_time
from gateway.ratelimit.prefetched_quota import PrefetchedQuota, can_be_prefetched
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock, charge
from tests.gateway.ratelimit.redis.limiter_process import (
    LimiterProcess,
    Order,
    count_fullest_window,
    run_order,
    run_processes,
)
from tests.redis_server import RedisServer

WINDOW = 10
SPENDING_TIME = WINDOW * MICROSECONDS // 60
PROCESSES = 3


class SharedCounts:
    """What Redis does with a check that asks for more: `lua/count.lua`, on a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        self._limiter = MemoryLimiter(clock=clock)

    def check(self, charges: Sequence[Charge], size: int) -> Verdict:
        """Admit the request, and grant up to `size` more."""
        shared = []
        for one in charges:
            quota, window, burst = get_shared_numbers(one.rule)
            rule = replace(one.rule, quota=quota, window=window, burst=burst)
            shared.append(replace(one, rule=rule))
        verdict = self._limiter.decide(shared)
        granted = 0
        if verdict.admitted:
            left = [s.remaining // c.cost for s, c in zip(verdict.standings, shared, strict=True)]
            granted = min(size, *left)
        if granted:
            self._limiter.record([replace(one, cost=granted * one.cost) for one in shared])
        standings = [replace(s, rule=c.rule) for s, c in zip(verdict.standings, charges)]  # noqa: B905
        return replace(Verdict.of(standings, verdict.now), granted=granted)


class Process:
    """One process, whose checks take a while to reach Redis, and the replies to come back."""

    def __init__(self, shared: SharedCounts, clock: ManualClock) -> None:
        self.prefetched = PrefetchedQuota(10, 1, clock)
        self.clock = clock
        self.trips = 0
        self._shared = shared

    def check(self, charges: Sequence[Charge], delay: int = 0) -> Verdict:
        """Admit or refuse; returns when the caller has the verdict."""
        verdict = self.prefetched.spend(charges)
        if verdict is not None:
            return verdict
        prefetch, size = self.prefetched.begin_fetch(charges)
        self.trips += 1
        self.clock.now += delay
        verdict = self._shared.check(charges, size)
        decided_at = self.clock.now
        self.clock.now += delay
        if prefetch is not None:
            self.prefetched.end_fetch(prefetch, verdict)
        return replace(verdict, now=decided_at)


def find_excess_in_windows(admitted: list[tuple[int, int]], quota: int) -> int:
    """Return by how much the fullest window of all is above the quota."""
    most = 0
    for end, _ in admitted:
        inside = [cost for at, cost in admitted if end - WINDOW * MICROSECONDS < at <= end]
        most = max(most, sum(inside))
    return most - quota


def find_excess_of_rate(admitted: list[tuple[int, int]], quota: int, burst: int) -> int:
    """Return by how much the level of a leaky bucket rises above the burst, in microrequests."""
    level, last, most = 0, 0, 0
    for at, cost in sorted(admitted):
        level = max(0, level - (at - last) * quota) + cost * WINDOW * MICROSECONDS
        last, most = at, max(most, level)
    return most - burst * WINDOW * MICROSECONDS


# Bursts on one process each: the second half of a burst waits until what the first has fetched is
# about to end, and the next burst comes when the first half has left the window, or the second.
schedules = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 40_000),
            st.sampled_from([WINDOW * MICROSECONDS - SPENDING_TIME, WINDOW * MICROSECONDS]),
        ),
        st.integers(0, PROCESSES - 1),
        st.integers(1, 60),
        st.sampled_from([0, SPENDING_TIME // 2, SPENDING_TIME - 2, SPENDING_TIME]),
        st.sampled_from([0, 0, 1, SPENDING_TIME // 2]),
    ),
    min_size=1,
    max_size=20,
)
Schedule = list[tuple[int, int, int, int, int]]


def run(one: Charge, schedule: Schedule) -> list[tuple[int, int]]:
    """Run bursts of requests on several processes, and return all admissions."""
    clock = ManualClock()
    shared = SharedCounts(clock)
    processes = [Process(shared, clock) for _ in range(PROCESSES)]
    admitted = []
    for pause, index, requests, wait, delay in schedule:
        clock.now += pause
        for number in range(requests):
            clock.now += wait if number == requests // 2 else 0
            before = processes[index].trips
            verdict = processes[index].check([one], delay)
            if verdict.admitted:
                is_prefetched = processes[index].trips == before
                admitted.append((clock.now if is_prefetched else verdict.now, one.cost))
            assert verdict.standings[0].remaining >= 0
    return admitted


@settings(deadline=None, max_examples=200)
@given(quota=st.integers(5, 200), cost=st.sampled_from([1, 1, 3]), schedule=schedules)
def test_no_window_has_more_than_the_quota(quota: int, cost: int, schedule: Schedule) -> None:
    admitted = run(charge(quota, WINDOW, prefetch=quota, cost=cost), schedule)
    assert find_excess_in_windows(admitted, quota) <= 0


@settings(deadline=None, max_examples=200)
@given(
    quota=st.integers(5, 400),
    burst=st.integers(14, 100),
    cost=st.sampled_from([1, 1, 3]),
    schedule=schedules,
)
def test_a_steady_rate_never_has_more_than_the_burst(
    quota: int, burst: int, cost: int, schedule: Schedule
) -> None:
    one = charge(quota, WINDOW, prefetch=quota, burst=burst, cost=cost)
    admitted = run(one, schedule)
    assert find_excess_of_rate(admitted, quota, burst) <= 0


def fetch_in_advance(one: Charge) -> tuple[ManualClock, list[Process], list[tuple[int, int]]]:
    """Let eight processes have six requests in advance at the same time, if Redis grants them."""
    clock = ManualClock()
    shared = SharedCounts(clock)
    processes = [Process(shared, clock) for _ in range(8)]
    admitted = []
    for process in processes:
        while not any(prefetch.left >= 6 for prefetch in process.prefetched._prefetches.values()):
            if not process.check([one]).admitted:
                break
            admitted.append((clock.now, 1))
    return clock, processes, admitted


def spend_all(
    one: Charge, clock: ManualClock, processes: list[Process], admitted: list[tuple[int, int]]
) -> None:
    """Spend all prefetches, and then what Redis has left."""
    for process in processes:
        while process.check([one]).admitted:
            admitted.append((clock.now, 1))


def test_a_request_of_a_prefetch_that_is_spent_late_counts_for_a_whole_window() -> None:
    one = charge(60, WINDOW, prefetch=50)
    clock, processes, admitted = fetch_in_advance(one)
    clock.now += SPENDING_TIME - 1
    spend_all(one, clock, processes, admitted)
    assert len(admitted) >= 55
    clock.now += WINDOW * MICROSECONDS - 1
    spend_all(one, clock, processes, admitted)
    assert find_excess_in_windows(admitted, 60) <= 0


def test_prefetches_that_are_spent_late_are_not_a_second_burst() -> None:
    one = charge(2_400, WINDOW, burst=80, prefetch=50)
    clock, processes, admitted = fetch_in_advance(one)
    clock.now += SPENDING_TIME - 1
    spend_all(one, clock, processes, admitted)
    assert find_excess_of_rate(admitted, 2_400, 80) <= 0


def test_several_rules_are_charged_together() -> None:
    clock = ManualClock()
    process = Process(SharedCounts(clock), clock)
    wide = charge(300, 60, name="wide", prefetch=20)
    narrow = charge(30, 10, name="narrow", prefetch=20)
    verdicts = []
    for _ in range(40):
        clock.advance(0.001)
        verdicts.append(process.check([wide, narrow]))
    assert sum(verdict.admitted for verdict in verdicts) == 30
    assert verdicts[-1].refused_by == ("narrow",)
    assert process.trips < 30
    assert [verdict.standings[1].remaining for verdict in verdicts[:30]] == list(range(29, -1, -1))


@pytest.mark.parametrize("per_second", [100, 1_000, 5_000])
def test_a_hot_key_needs_few_trips_and_gets_most_of_its_quota(per_second: int) -> None:
    clock = ManualClock()
    shared = SharedCounts(clock)
    processes = [Process(shared, clock) for _ in range(PROCESSES)]
    hot = charge(10_000, 10, prefetch=50)
    requests = per_second * 10
    admitted = 0
    for number in range(requests):
        clock.now += MICROSECONDS // per_second
        admitted += processes[number % PROCESSES].check([hot]).admitted
    trips = sum(process.trips for process in processes)
    print(f"\n{per_second}/s: {trips / requests:.1%} trips, {admitted} of {requests} admitted")
    assert admitted >= 0.95 * min(requests, 10_000)
    if per_second == 1_000:
        assert trips <= 0.15 * requests


def test_a_key_that_is_not_hot_takes_nothing_in_advance() -> None:
    clock = ManualClock()
    process = Process(SharedCounts(clock), clock)
    slow = charge(20, 10, prefetch=10)
    for expected in range(19, -1, -1):
        clock.advance(0.4)
        assert process.check([slow]).standings[0].remaining == expected
    assert process.trips == 20


def test_a_caller_who_stops_at_the_worst_moments_still_gets_a_third() -> None:
    least = 1.0
    for requests in range(3, 150, 7):
        clock = ManualClock()
        process = Process(SharedCounts(clock), clock)
        hot = charge(3_000, 60, prefetch=200)
        admitted = 0
        for _ in range(55):
            clock.advance(1)
            for _ in range(requests):
                clock.advance(0.000_1)
                admitted += process.check([hot]).admitted
        least = min(least, admitted / min(3_000, 55 * requests))
    print(f"\nadmitted at least {least:.0%} of what was asked for and allowed")
    assert least >= 1 / 3


def test_another_rule_and_a_clear_void_a_prefetch() -> None:
    clock = ManualClock()
    process = Process(SharedCounts(clock), clock)
    hot = charge(1_000, 10, prefetch=50)

    def warm() -> None:
        while process.prefetched.spend([hot]) is None:
            clock.advance(0.001)
            process.check([hot])

    warm()
    lowered = replace(charge(500, 10, prefetch=50), key=hot.key)
    assert process.prefetched.spend([lowered]) is None
    assert process.prefetched.spend([hot]) is None
    warm()
    process.prefetched.clear("lockgate:{other")
    assert process.prefetched.spend([hot]) is not None
    process.prefetched.clear("lockgate:{")
    assert process.prefetched.spend([hot]) is None


def test_one_check_at_a_time_asks_for_more() -> None:
    clock = ManualClock()
    prefetched = PrefetchedQuota(10, 1, clock)
    shared = SharedCounts(clock)
    hot = [charge(1_000, 10, prefetch=50)]
    for _ in range(3):
        prefetch, size = prefetched.begin_fetch(hot)
        assert prefetch is not None
        clock.advance(0.001)
        prefetched.end_fetch(prefetch, shared.check(hot, size))
    prefetch, size = prefetched.begin_fetch(hot)
    assert prefetch is not None
    assert size > 0
    assert prefetched.begin_fetch(hot) == (None, 0)
    prefetched.end_fetch(prefetch, None)
    assert prefetched.begin_fetch(hot)[0] is prefetch


def test_charges_without_a_prefetch_are_left_to_redis() -> None:
    hot = charge(1_000, 10, prefetch=50)
    exact = charge(1_000, 10, name="exact")
    for charges in (
        [exact],
        [hot, exact],
        [replace(hot, cost=0)],
        [replace(hot, wants_state=True)],
    ):
        assert not can_be_prefetched(charges)
    assert can_be_prefetched([hot, hot])


def test_the_number_of_prefetches_is_bounded() -> None:
    prefetched = PrefetchedQuota(3, 1, ManualClock())
    for number in range(10):
        prefetched.begin_fetch([replace(charge(1_000, 10, prefetch=50), key=f"{number}")])
    assert len(prefetched) == 3


def test_a_rule_that_a_prefetch_does_not_fit_is_counted_exactly() -> None:
    rule = charge(10_000, 10, burst=400, prefetch=5).rule
    assert get_shared_numbers(rule).burst == 400 - 167
    assert get_spending_time(rule) == SPENDING_TIME
    small = replace(rule, burst=300)
    assert get_prefetch(small) == 0
    assert get_shared_numbers(small) == (10_000, 10 * MICROSECONDS, 300)
    assert get_prefetch(replace(rule, window=5 * MICROSECONDS)) == 0


def hunt(processes: Sequence[LimiterProcess], order: Order) -> tuple[list[int], float]:
    """Return the times of all admissions, and the share of requests that needed Redis."""
    outcomes = run_order(processes, order)
    assert not any(outcome.degraded for outcome in outcomes)
    times = [at for outcome in outcomes for at in outcome.admitted]
    return times, sum(outcome.trips for outcome in outcomes) / max(1, len(times))


@pytest.mark.redis
def test_four_processes_admit_no_more_than_the_quota(redis_server: RedisServer) -> None:
    order = Order(500, 10, "lockgate:{hot}", 1.5, 400, {"prefetch": 50})
    with run_processes(redis_server.url, 4) as processes:
        times, _ = hunt(processes, order)
    # Each process may end with a prefetch that it has not spent.
    assert 500 - 4 * 50 <= len(times) <= 500


@pytest.mark.prove
@pytest.mark.redis
@pytest.mark.timeout(900)
def test_fifty_runs_of_four_processes(redis_server: RedisServer) -> None:
    window = Order(1_000, 10, "", 2, 300, {"prefetch": 50})
    steady = Order(2_000, 10, "", 2, 300, {"prefetch": 50, "burst": 200})
    counts, excesses, shares = [], [], []
    with run_processes(redis_server.url, 4) as processes:
        for number in range(50):
            times, share = hunt(processes, replace(window, key=f"lockgate:{{{number}}}:window"))
            counts.append(len(times))
            shares.append(share)
            times, _ = hunt(processes, replace(steady, key=f"lockgate:{{{number}}}:steady"))
            excesses.append(find_excess_of_rate([(at, 1) for at in times], 2_000, 200))
        # Long enough for windows to end while others begin.
        times, share = hunt(processes, replace(window, key="lockgate:{long}", seconds=35))
        fullest = count_fullest_window(times, 10)
    print(f"\nadmitted of 1,000 by 4 processes, 50 runs: {sorted(counts)}")
    print(f"trips to Redis per admission: {min(shares):.1%} to {max(shares):.1%}")
    print(f"35 s at 1,200/s: {len(times)} admitted, {fullest} in the fullest window, {share:.1%}")
    assert max(counts) <= 1_000
    assert max(excesses) <= 0
    assert fullest <= 1_000
