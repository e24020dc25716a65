"""`Limits`: counts requests under policies, with the values that are in force.

Everything that the gateway counts passes here: requests of routes, attempts to authenticate, wrong
API keys.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.ratelimit.concurrency_leases import ConcurrencyLeases
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_in_force import Block, PoliciesInForce, Rules
from gateway.ratelimit.reservation import Reservation
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule


@dataclass(slots=True)
class Demand:
    """The demand of one request on a policy: `cost` for a partition, whose claims name a tier.

    `policy` is as the code declares it.
    """

    policy: Final[Policy]
    partition: Final[str]
    tier: Final[str | None] = None
    cost: Final[int] = 1


class DecisionObserver(Protocol):
    """Sees every decision, as the recorder does. Its methods are called on the event loop."""

    def wants_state(self, key: str) -> bool:
        """Return whether the state of a key before the next decision is needed."""

    def observe(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        verdict: Verdict,
    ) -> None:
        """Take a decision. `rule_sets` has the rules of each demand, `charges` are in that order.

        A blocked request has no charges.
        """

    def record_unknown(self, charges: Sequence[Charge]) -> None:
        """Take note of charges without a verdict, which may have been counted."""


class ChargeHolder(Protocol):
    """Keeps the charges of one request until it ends: a lease or a reservation."""

    @property
    def lease_id(self) -> str:
        """The lease of its charges under concurrency limits; "" if it holds none."""

    def take(self, charges: Sequence[Charge]) -> None:
        """Take the charges, before they are checked."""

    def accept(self, verdict: Verdict) -> None:
        """Take the verdict. A blocked request has one without any charges."""


class Limits:
    """Counts requests by the policies in force. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        limiter: RateLimiter,
        policies: PoliciesInForce,
        observer: DecisionObserver | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limiter = limiter
        self.leases = ConcurrencyLeases(limiter)
        self.policies = policies
        self.observer = observer
        self._clock = clock

    def enforce(
        self, demands: Sequence[Demand], holder: ChargeHolder | None = None
    ) -> Awaitable[Verdict]:
        """Charge all demands, or refuse them at no cost.

        `holder` gets the charges before their check, and the verdict after it.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        now, get = self._clock(), self.policies.get
        is_plain = holder is None and self.observer is None
        rule_sets: list[Rules | Block] = []
        charges: list[Charge] = []
        for demand in demands:  # no comprehensions: each would be a call, in every request
            partition, cost = demand.partition, demand.cost
            rules = get(demand.policy).find_rules(partition, demand.tier, now)
            rule_sets.append(rules)
            if isinstance(rules, Block):
                is_plain = False
                continue
            for rule in rules:
                key = make_key(rule, partition)
                if is_plain:
                    charges.append(Charge(rule, key, cost))
                else:
                    charges.append(self._make_charge(rule, key, cost, holder))
        if is_plain and charges:
            return self.limiter.check(charges)
        return self._decide(demands, rule_sets, charges, now, holder)

    async def reserve(self, demands: Sequence[Demand]) -> Reservation:
        """Charge all demands in advance, or refuse them at no cost; `verdict` says which.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        reservation = Reservation(self.limiter)
        await self.enforce(demands, reservation)
        return reservation

    def _make_charge(self, rule: Rule, key: str, cost: int, holder: ChargeHolder | None) -> Charge:
        """Make a charge with the lease of the holder, and with the wish of the observer."""
        lease_id = ""
        if holder is not None and cost and rule.algorithm is Algorithm.CONCURRENCY:
            lease_id = holder.lease_id
        wants_state = self.observer is not None and self.observer.wants_state(key)
        return Charge(rule, key, cost, lease_id, wants_state)

    async def _decide(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        now: float,
        holder: ChargeHolder | None,
    ) -> Verdict:
        """Decide a request, and let the holder and the observer have the decision."""
        blocks = [rules for rules in rule_sets if isinstance(rules, Block)]
        refusing = [block for block in blocks if not block.shadow]
        if refusing:
            charges, verdict = (), _refuse(refusing, now)
        elif charges:
            verdict = _add_shadow_blocks(await self._check(charges, holder), blocks)
        else:
            verdict = _add_shadow_blocks(Verdict(True, now=int(now * MICROSECONDS)), blocks)
        if holder is not None:
            holder.accept(verdict)
        if self.observer is not None:
            self.observer.observe(demands, rule_sets, charges, verdict)
        return verdict

    async def _check(self, charges: Sequence[Charge], holder: ChargeHolder | None) -> Verdict:
        if holder is not None:
            holder.take(charges)
        try:
            return await self.limiter.check(charges)
        except BaseException:  # a cancelled request, too
            if self.observer is not None:
                self.observer.record_unknown(charges)
            raise


def _refuse(blocks: Sequence[Block], now: float) -> Verdict:
    """Refuse a request with blocked keys, before anything is counted."""
    return Verdict(
        admitted=False,
        refused_by=tuple(dict.fromkeys(block.policy for block in blocks)),
        now=int(now * MICROSECONDS),
        blocked_for=max(block.compute_retry_after(now) for block in blocks),
    )


def _add_shadow_blocks(verdict: Verdict, blocks: Sequence[Block]) -> Verdict:
    """Report the shadow policies that would have refused the request because of a block."""
    if not blocks:
        return verdict
    names = [*verdict.shadow_refused_by, *(block.policy for block in blocks)]
    return replace(verdict, shadow_refused_by=tuple(dict.fromkeys(names)))
