"""`FallbackLimiter`: applies `without_redis` of each rule when Redis is slow or down."""

from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import (
    Charge,
    CountObserver,
    LeaseUpdate,
    Mark,
    RateLimiter,
    RedisCheckFailed,
    Settlement,
    Verdict,
)
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.prefetched_quota import PrefetchedQuota, can_be_prefetched
from gateway.ratelimit.refused_keys import RefusedKeys
from gateway.ratelimit.rule import Rule, cache_per_rule, change_numbers

RETRY_AFTER_SECONDS = 1.0

_MAX_LATENCY = 100_000
"""Microseconds by which the age of a charge may have grown until Redis settles it. One that is too
high gives back what expires sooner, or less."""


class FallbackLimiter(RateLimiter):
    """Counts in Redis, and falls back when a check in Redis fails.

    Without Redis, a `deny` policy refuses every request, a `local` policy grants this process its
    share, ceil(quota / processes), and an `allow` policy is not counted. Requests that Redis
    admits are also recorded in `local`, so that neither losing Redis nor a Redis that has lost its
    counts gives a caller a fresh quota. Those admitted without Redis are in `unsent`, too, until
    Redis has them. `refused` and `prefetched` decide without Redis what it has decided before.
    """

    def __init__(  # noqa: PLR0913 - one keyword per memory
        self,
        shared: RateLimiter,
        local: MemoryLimiter,
        *,
        unsent: MemoryLimiter,
        refused: RefusedKeys,
        prefetched: PrefetchedQuota,
        processes: int = 1,
    ) -> None:
        self._shared = shared
        self._local = local
        self._unsent = unsent
        self._refused = refused
        self._prefetched = prefetched
        self._processes = processes
        self._scale = cache_per_rule(partial(scale_to_share, processes=processes))
        self._degraded_checks = 0

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        verdict = self._refused.find(charges)
        if verdict is not None:
            return verdict
        begun = self._refused.begin_check()
        try:
            if can_be_prefetched(charges):
                verdict = await self._check_prefetched(charges)
            else:
                verdict = await self._shared.check(charges)
        except RedisCheckFailed as error:
            self._degraded_checks += 1
            return self._decide_without_redis(charges, error)
        if verdict.admitted:
            self._local.record(self._scale_all(verdict.select_charged(charges)))
        else:
            self._refused.remember(charges, verdict, begun)
        return verdict

    def set_observer(self, observer: CountObserver) -> None:
        """Let an observer see what changes the counts in Redis."""
        self._shared.set_observer(observer)

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> "Future[int] | None":
        """Renew and release leases, here at once and in Redis.

        Raises:
            RedisCheckFailed: there is no connection to Redis.
        """
        self._local.update_leases(updates)
        return self._shared.update_leases(updates)

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call a function after each later connect to Redis."""
        self._shared.call_on_connect(callback)

    def mark(self) -> Mark:
        """Mark the time, before a check whose charges may be settled."""
        return self._local.mark()

    def settle(self, settlement: Settlement) -> "Future[int] | None":
        """Correct charges: here at once, and in Redis, if that has decided, or has them now.

        Raises:
            RedisCheckFailed: there is no connection to Redis.
        """
        if settlement.before.clears != self._local.mark().clears:
            settlement = settlement.keep_additions()
        scaled = self._scale_differences(settlement)
        self._local.settle(scaled)
        self._refused.exclude({charge.rule.policy for charge, _ in settlement.differences})
        if not settlement.verdict.degraded:
            return self._shared.settle(settlement)
        age = self._local.read_clock() - settlement.before.at + _MAX_LATENCY
        restored = replace(settlement, differences=_select_local(settlement), age=age)
        try:
            return self._shared.settle(restored)
        except RedisCheckFailed:  # Redis gets it with the charge
            self._unsent.settle(scaled)
            return None

    def clear_local(self, prefix: str) -> None:
        """Drop what this process counts and remembers of all keys that begin with `prefix`."""
        for memory in (self._refused, self._prefetched):
            memory.clear(prefix)
        self._local.clear_local(prefix)
        self._unsent.clear_local(prefix)
        self._shared.clear_local(prefix)

    async def clear_shared(self, prefix: str, keys: Collection[str] = ()) -> None:
        """Delete the counts in Redis of `keys`, or of all keys that begin with `prefix`."""
        await self._shared.clear_shared(prefix, keys)

    def health(self) -> dict[str, str | int]:
        """Return the health of the limiter on Redis, and the number of checks without it."""
        shared = self._shared.health()
        status = "ok" if shared.get("redis") == "up" else "degraded"
        return {"status": status, **shared, "degraded_checks": self._degraded_checks}

    async def _check_prefetched(self, charges: Sequence[Charge]) -> Verdict:
        """Spend what was prefetched, or ask Redis for this request and for more."""
        verdict = self._prefetched.spend(charges)
        if verdict is not None:
            return verdict
        prefetch, advance = self._prefetched.begin_fetch(charges)
        if advance:
            charges = [replace(charge, advance=advance) for charge in charges]
        try:
            verdict = await self._shared.check(charges)
        finally:
            if prefetch is not None:
                self._prefetched.end_fetch(prefetch, verdict)
        return verdict

    def _decide_without_redis(self, charges: Sequence[Charge], error: RedisCheckFailed) -> Verdict:
        # The cases, in this order: a policy says `deny`; no policy says `local`, so that nothing
        # is counted; the `local` ones decide. A shadow policy never refuses, not even with `deny`.
        if any(c.rule.without_redis == "deny" and not c.rule.shadow for c in charges):
            raise RateLimiterUnavailable(RETRY_AFTER_SECONDS) from error
        local = [charge for charge in charges if charge.rule.without_redis == "local"]
        if not local:
            return Verdict(admitted=True, degraded="allow", now=self._local.read_clock())
        scaled = self._scale_all(local)
        verdict = self._local.decide(scaled)
        if verdict.admitted:
            self._unsent.record(verdict.select_charged(scaled))
        # The response headers announce the policy, not the share of this process.
        announced = [
            replace(standing, rule=charge.rule)
            for charge, standing in zip(local, verdict.standings, strict=True)
        ]
        return Verdict.of(announced, verdict.now, degraded="local")

    def _scale_all(self, charges: Sequence[Charge]) -> Sequence[Charge]:
        """Return the charges with the share of this process as their rate."""
        if self._processes == 1:
            return charges
        return [replace(charge, rule=self._scale(charge.rule)) for charge in charges]

    def _scale_differences(self, settlement: Settlement) -> Settlement:
        """Return what has to be settled here."""
        charged = _select_local(settlement)
        scaled = self._scale_all([charge for charge, _ in charged])
        differences = [difference for _, difference in charged]
        return replace(settlement, differences=list(zip(scaled, differences, strict=True)))


def _select_local(settlement: Settlement) -> Sequence[tuple[Charge, int]]:
    """Select what was charged here: without Redis, only `local` policies are."""
    if not settlement.verdict.degraded:
        return settlement.differences
    return [it for it in settlement.differences if it[0].rule.without_redis == "local"]


def scale_to_share(rule: Rule, processes: int) -> Rule:
    """Return the rule with the quota and burst that one of `processes` processes may grant.

    Both are rounded up.
    """
    return change_numbers(rule, ceil(rule.quota / processes), ceil(rule.burst / processes))
