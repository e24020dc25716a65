"""`Limits`: what is in force decides, blocked keys are refused, and the observer sees it all."""

from collections.abc import Sequence

import pytest

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.limits import DecisionObserver, Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block, PoliciesInForce, PolicyInForce, Rules
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.reservation import ReservationState
from gateway.ratelimit.rule import MICROSECONDS
from gateway.request_context import RequestContext
from tests.gateway.ratelimit.charges import START, ManualClock

PAGES = RateLimit("pages", "5/second, 10/minute", tiers={"pro": "20/minute"}, tier_claim="plan")
CHAT = RateLimit("chat", "3/minute")
NOW = START / MICROSECONDS


class Observer:
    """Keeps every decision, and wants all states."""

    def __init__(self) -> None:
        self.decisions: list[tuple[Sequence[Demand], Sequence[Rules | Block], Verdict]] = []
        self.charges: list[Sequence[Charge]] = []
        self.lost: list[Sequence[Charge]] = []

    def wants_state(self, key: str) -> bool:
        """Want the state of each key."""
        return True

    def observe(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        verdict: Verdict,
    ) -> None:
        """Keep the decision."""
        self.decisions.append((demands, rule_sets, verdict))
        self.charges.append(charges)

    def record_unknown(self, charges: Sequence[Charge]) -> None:
        """Keep the charges."""
        self.lost.append(charges)


def open_limits(*in_force: PolicyInForce, observer: DecisionObserver | None = None) -> Limits:
    """Count in process, with a clock that stands still."""
    limiter = MemoryLimiter(clock=ManualClock())
    return Limits(limiter, PoliciesInForce(in_force), observer, clock=lambda: NOW)


async def count_admitted(limits: Limits, *demands: Demand, times: int = 30) -> int:
    """Return how many of some requests are admitted."""
    return sum([(await limits.enforce(demands)).admitted for _ in range(times)])


async def test_all_windows_of_a_policy_are_counted_and_the_tier_selects_them() -> None:
    limits = open_limits()
    assert await count_admitted(limits, Demand(PAGES, "user:1")) == 5
    assert await count_admitted(limits, Demand(PAGES, "user:2", "pro")) == 20
    assert await count_admitted(limits, Demand(PAGES, "user:3", "unknown")) == 5


async def test_a_refusal_names_the_window_and_the_policy_once() -> None:
    limits = open_limits()
    verdict = await limits.enforce([Demand(PAGES, "user:1", cost=11)])
    assert verdict.refused_by == ("pages",)
    assert verdict.violated == ("pages:1s", "pages:60s")
    assert verdict.now == START


async def test_values_replaced_at_run_time_count_the_next_request_and_keep_the_counts() -> None:
    limits = open_limits()
    assert await count_admitted(limits, Demand(CHAT, "user:1")) == 3
    limits.policies.replace("chat", PolicyInForce(CHAT.change(rate="5/minute"), 7, "live"))
    assert await count_admitted(limits, Demand(CHAT, "user:1")) == 2


async def test_a_blocked_key_is_refused_before_anything_is_counted() -> None:
    observer = Observer()
    until = KeyOverride("block", until=NOW + 90)
    blocked = PolicyInForce(CHAT, overrides={"user:1": until, "user:2": KeyOverride("block")})
    limits = open_limits(blocked, observer=observer)
    verdict = await limits.enforce([Demand(PAGES, "user:1"), Demand(CHAT, "user:1")])
    assert (verdict.admitted, verdict.refused_by, verdict.retry_after) == (False, ("chat",), 90)
    assert (await limits.enforce([Demand(CHAT, "user:2")])).retry_after == 3_600
    assert limits.limiter.health()["keys"] == 0
    assert [block for _, (*_, block), _ in observer.decisions] == [
        Block("chat", NOW + 90),
        Block("chat"),
    ]
    assert (await limits.enforce([Demand(CHAT, "user:3")])).admitted


async def test_a_block_of_a_shadow_policy_is_reported_and_refuses_nothing() -> None:
    shadow = PolicyInForce(CHAT.change(shadow=True), overrides={"user:1": KeyOverride("block")})
    for observer in (None, Observer()):
        limits = open_limits(shadow, observer=observer)
        verdict = await limits.enforce([Demand(CHAT, "user:1"), Demand(PAGES, "user:1")])
        assert (verdict.admitted, verdict.shadow_refused_by) == (True, ("chat",))
        assert [it.remaining for it in verdict.standings] == [4, 9]


async def test_a_block_of_a_shadow_policy_counts_once_in_the_usage() -> None:
    shadow = PolicyInForce(CHAT.change(shadow=True), overrides={"user:1": KeyOverride("block")})
    recorder = Recorder("here", is_shared=False)
    limits = open_limits(shadow, observer=recorder)
    assert await count_admitted(limits, Demand(CHAT, "user:1"), times=3) == 3
    report = recorder.usage.report("chat", 2)
    assert (sum(report.allowed), sum(report.shadow_refused)) == (3, 3)


async def test_a_reservation_of_a_blocked_key_is_refused() -> None:
    blocked = PolicyInForce(CHAT, overrides={"user:1": KeyOverride("block")})
    reservation = await open_limits(blocked).reserve([Demand(CHAT, "user:1")])
    assert reservation.state is ReservationState.REFUSED
    assert reservation.verdict.refused_by == ("chat",)
    assert repr(reservation) == "<Reservation refused, nothing>"
    with pytest.raises(RuntimeError, match="refused, and charged nothing"):
        await reservation.settle(0)


async def test_an_allowed_key_is_not_counted() -> None:
    limits = open_limits(PolicyInForce(CHAT, overrides={"user:1": KeyOverride("allow")}))
    assert await count_admitted(limits, Demand(CHAT, "user:1")) == 30
    assert limits.limiter.health()["keys"] == 0
    both = [Demand(CHAT, "user:1"), Demand(PAGES, "user:1")]
    assert await count_admitted(limits, *both) == 5


async def test_the_observer_sees_the_rules_and_the_states_before_each_decision() -> None:
    observer = Observer()
    limits = open_limits(observer=observer)
    assert await count_admitted(limits, Demand(CHAT, "user:1"), times=4) == 3
    key = "lockgate:{user:1}:chat:60"
    states = [verdict.states for _, _, verdict in observer.decisions]
    assert states[0] == {key: (0, 0)}
    assert states[3] == {key: (START, START, START, 1, START, 1, START, 1)}
    assert observer.decisions[0][1] == [CHAT.make_rules()]
    assert [charge.key for charge in observer.charges[0]] == [key]


async def test_what_a_shadow_policy_would_refuse_is_neither_charged_nor_settled_nor_held() -> None:
    tokens = RateLimit("tokens", "10/minute", shadow=True)
    streams = ConcurrencyLimit("streams", 1, shadow=True)
    limits = open_limits()
    assert await count_admitted(limits, Demand(tokens, "user:1", cost=6), times=1) == 1
    reservation = await limits.reserve([Demand(tokens, "user:1", cost=6)])
    assert reservation.verdict.shadow_refused_by == ("tokens",)
    await reservation.settle(1)
    look = [Demand(tokens, "user:1", cost=0), Demand(streams, "user:1", cost=0)]
    assert [it.remaining for it in (await limits.enforce(look)).standings] == [4, 1]

    contexts = [RequestContext.of({"type": "http"}) for _ in range(2)]
    for context in contexts:
        lease = limits.leases.open(context)
        assert (await limits.enforce([Demand(streams, "user:1")], lease)).admitted
    assert len(limits.leases) == 1
    lease.release()
    assert (await limits.enforce(look)).standings[1].remaining == 0
