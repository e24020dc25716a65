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
from gateway.ratelimit.rule import MICROSECONDS, Algorithm


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
        observer, lease_id = self.observer, holder.lease_id if holder is not None else ""
        rule_sets: list[Rules | Block] = []
        charges: list[Charge] = []
        blocks: list[Block] = []
        for demand in demands:  # no comprehensions: each would be a call, in every request
            partition, cost = demand.partition, demand.cost
            rules = get(demand.policy).find_rules(partition, demand.tier, now)
            rule_sets.append(rules)
            if isinstance(rules, Block):
                blocks.append(rules)
                continue
            for rule in rules:
                key = make_key(rule, partition)
                takes_lease = lease_id and cost and rule.algorithm is Algorithm.CONCURRENCY
                wants_state = observer is not None and observer.wants_state(key)
                charge = Charge(rule, key, cost, lease_id if takes_lease else "", wants_state)
                charges.append(charge)
        if blocks and not all(block.shadow for block in blocks):
            return self._refuse(demands, rule_sets, blocks, now, holder)
        if observer is not None or holder is not None or blocks or not charges:
            return self._decide(demands, rule_sets, charges, blocks, holder)
        return self.limiter.check(charges)

    async def reserve(self, demands: Sequence[Demand]) -> Reservation:
        """Charge all demands in advance, or refuse them at no cost; `verdict` says which.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        reservation = Reservation(self.limiter)
        await self.enforce(demands, reservation)
        return reservation

    async def _refuse(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        blocks: Sequence[Block],
        now: float,
        holder: ChargeHolder | None,
    ) -> Verdict:
        """Refuse a request with a blocked key, before anything is counted."""
        refusing = [block for block in blocks if not block.shadow]
        verdict = Verdict(
            admitted=False,
            refused_by=tuple(dict.fromkeys(block.policy for block in refusing)),
            now=int(now * MICROSECONDS),
            blocked_for=max(block.compute_retry_after(now) for block in refusing),
        )
        if holder is not None:
            holder.accept(verdict)
        if self.observer is not None:
            self.observer.observe(demands, rule_sets, (), verdict)
        return verdict

    async def _decide(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        blocks: Sequence[Block],
        holder: ChargeHolder | None,
    ) -> Verdict:
        """Decide a request for the holder and the observer. `blocks` are of shadows."""
        if holder is not None:
            holder.take(charges)
        try:
            verdict = await self.limiter.check(charges) if charges else self._admit_uncounted()
        except BaseException:  # a cancelled request, too
            if self.observer is not None:
                self.observer.record_unknown(charges)
            raise
        if blocks:
            blocked = [block.policy for block in blocks]
            names = tuple(dict.fromkeys([*verdict.shadow_refused_by, *blocked]))
            verdict = replace(verdict, shadow_refused_by=names)
        if holder is not None:
            holder.accept(verdict)
        if self.observer is not None:
            self.observer.observe(demands, rule_sets, charges, verdict)
        return verdict

    def _admit_uncounted(self) -> Verdict:
        """Admit a request without charges: its key is allowed, or blocked by a shadow alone."""
        return Verdict(admitted=True, now=int(self._clock() * MICROSECONDS))
