"""Counts in Redis while it answers, and does what each policy declares while it does not."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policies import with_rate
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_cache import cache_per_policy
from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.settings.rate import Rate

RETRY_AFTER_SECONDS = 1.0


class FallbackLimiter(RateLimiter):
    """A limiter on Redis that outlives it.

    Without Redis a `deny` policy refuses everything, a `local` one grants this process its
    share, ceil(quota / processes), and an `allow` one is not counted. What Redis admits is
    written down locally too, so that losing it hands nobody a fresh quota.
    """

    def __init__(self, shared: RateLimiter, local: MemoryLimiter, processes: int = 1) -> None:
        self._shared = shared
        self._local = local
        self._processes = processes
        self._share = cache_per_policy(partial(share, processes=processes))
        self._degraded = 0

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            CountersUnavailable: it cannot be counted, and a policy says `deny`.
        """
        try:
            verdict = await self._shared.check(charges)
        except RedisCheckFailed as failure:
            self._degraded += 1
            return self._without_redis(charges, failure)
        if verdict.admitted:
            self._local.record(self._shares(charges))
        return verdict

    def health(self) -> dict[str, str | int]:
        """What the limiter on Redis says, and how many checks went without it."""
        shared = self._shared.health()
        status = "ok" if shared.get("redis") == "up" else "degraded"
        return {"status": status, **shared, "degraded_checks": self._degraded}

    def _without_redis(self, charges: Sequence[Charge], failure: RedisCheckFailed) -> Verdict:
        if any(c.policy.without_redis == "deny" and not c.policy.shadow for c in charges):
            raise RateLimiterUnavailable(RETRY_AFTER_SECONDS) from failure
        local = [charge for charge in charges if charge.policy.without_redis == "local"]
        if not local:
            return Verdict(admitted=True, degraded="allow")
        shares = self._local.decide(self._shares(local)).standings
        # What the caller is told is the policy, not this process's share of it.
        told = [replace(s, policy=c.policy) for c, s in zip(local, shares, strict=True)]
        return Verdict.of(told, degraded="local")

    def _shares(self, charges: Sequence[Charge]) -> list[Charge]:
        local = [charge for charge in charges if charge.policy.without_redis == "local"]
        if self._processes == 1:
            return local
        return [Charge(self._share(c.policy), c.key, c.cost) for c in local]


def share(policy: RateLimit, processes: int) -> RateLimit:
    """What one of so many processes may grant on its own."""
    rate = Rate(ceil(policy.rate.quota / processes), policy.rate.window)
    burst = ceil(policy.burst / processes) if policy.burst else None
    return with_rate(policy, rate, burst)
