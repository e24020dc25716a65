"""Leases, compared with a plain list of the requests that hold one."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.algorithms.concurrency import RETRY_AFTER, ConcurrencyState
from gateway.ratelimit.rule import Algorithm, Rule
from tests.gateway.ratelimit.charges import START

LEASE_TIME = 3_000_000
RULE = Rule("chats", "chats", Algorithm.CONCURRENCY, quota=3, window=LEASE_TIME)

pauses = st.sampled_from([0, 1, 500_000, LEASE_TIME - 1, LEASE_TIME, LEASE_TIME + 1])
steps = st.lists(
    st.tuples(pauses, st.sampled_from(["take", "take", "renew", "release"]), st.integers(0, 9)),
    min_size=1,
    max_size=80,
)


class Requests:
    """The reference: each request that holds a lease, with the time at which it last said so."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def find_held(self, now: int) -> list[str]:
        """Find the requests whose lease has not expired."""
        return [name for name, at in self.seen.items() if now - at < LEASE_TIME]


@settings(deadline=None, max_examples=300)
@given(quota=st.integers(1, 4), schedule=steps)
def test_it_decides_like_the_reference(quota: int, schedule: list[tuple[int, str, int]]) -> None:
    rule, now = replace(RULE, quota=quota), START
    state, reference = ConcurrencyState(), Requests()
    for number, (pause, action, choice) in enumerate(schedule):
        now += pause
        held = reference.find_held(now)
        if action == "take":
            fits = state.compute_retry_after(now, rule, 1) == 0
            assert fits == (len(held) < quota)
            if fits:
                state.charge(now, rule, 1, f"request-{number}")
                reference.seen[f"request-{number}"] = now
        elif held:
            name = held[choice % len(held)]
            if action == "renew":
                state.charge(now, rule, 1, name)
                reference.seen[name] = now
            else:
                state.release(name)
                del reference.seen[name]
        still_held = reference.find_held(now)
        assert state.compute_remaining(now, rule) == (quota - len(still_held), 0)
        assert len(still_held) <= quota
        assert all(reference.seen[name] + LEASE_TIME <= state.expires_at for name in still_held)


def test_a_refused_request_may_come_back_after_a_second() -> None:
    state = ConcurrencyState()
    for name in "abc":
        state.charge(START, RULE, 1, name)
    assert state.compute_retry_after(START, RULE, 1) == RETRY_AFTER
    assert state.compute_retry_after(START, RULE, 0) == 0


def test_a_lease_that_was_lost_counts_again_when_it_is_renewed() -> None:
    state = ConcurrencyState()
    later = START + LEASE_TIME
    state.charge(START, RULE, 1, "slow")
    assert state.compute_remaining(later, RULE) == (3, 0)
    state.charge(later, RULE, 1, "slow")
    assert state.compute_remaining(later, RULE) == (2, 0)


def test_a_release_of_an_unknown_lease_has_no_effect() -> None:
    state = ConcurrencyState()
    state.charge(START, RULE, 1, "held")
    state.release("other")
    state.release("other")
    assert state.compute_remaining(START, RULE) == (2, 0)


def test_no_lease_counts_for_longer_than_the_lease_time() -> None:
    """After the clock was set back by an hour, or the lease time was shortened."""
    state = ConcurrencyState()
    state.charge(START + 3_600_000_000, RULE, 1, "killed")
    state.charge(START, replace(RULE, window=10 * LEASE_TIME), 1, "long")
    assert state.compute_remaining(START, RULE) == (1, 0)
    assert state.compute_remaining(START + LEASE_TIME, RULE) == (3, 0)


def test_a_lowered_limit_leaves_the_leases_and_admits_none_until_enough_have_ended() -> None:
    state = ConcurrencyState()
    lowered = replace(RULE, quota=1)
    for name in "abc":
        state.charge(START, RULE, 1, name)
    assert state.compute_remaining(START, lowered) == (0, 0)
    state.release("a")
    state.release("b")
    assert state.compute_retry_after(START, lowered, 1) == RETRY_AFTER
    state.release("c")
    assert state.compute_retry_after(START, lowered, 1) == 0
