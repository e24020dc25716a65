"""`FallbackLimiter`: applies `without_redis` of each policy when Redis is slow or down."""

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import MAX_REFILL, RateLimit, cache_per_policy, with_rate
from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.settings.rate import Rate

RETRY_AFTER_SECONDS = 1.0


class FallbackLimiter(RateLimiter):
    """Counts in Redis, and falls back when a check in Redis fails.

    Without Redis, a `deny` policy refuses every request, a `local` policy grants this process its
    share, ceil(quota / processes), and an `allow` policy is not counted. Requests that Redis
    admits are also recorded locally, so that losing Redis gives no caller a fresh quota.
    """

    def __init__(self, shared: RateLimiter, local: MemoryLimiter, processes: int = 1) -> None:
        self._shared = shared
        self._local = local
        self._processes = processes
        self._scale = cache_per_policy(partial(scale_to_share, processes=processes))
        self._degraded_checks = 0

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        try:
            verdict = await self._shared.check(charges)
        except RedisCheckFailed as error:
            self._degraded_checks += 1
            return self._decide_without_redis(charges, error)
        if verdict.admitted:
            self._local.record(self._select_local(charges))
        return verdict

    def clear(self, prefix: str) -> Coroutine[Any, Any, None] | None:
        """Drop the counts of all keys that begin with `prefix`, here and in Redis."""
        self._local.clear(prefix)
        return self._shared.clear(prefix)

    def health(self) -> dict[str, str | int]:
        """Return the health of the limiter on Redis, and the number of checks without it."""
        shared = self._shared.health()
        status = "ok" if shared.get("redis") == "up" else "degraded"
        return {"status": status, **shared, "degraded_checks": self._degraded_checks}

    def _decide_without_redis(self, charges: Sequence[Charge], error: RedisCheckFailed) -> Verdict:
        # The cases, in this order: a policy says `deny`; no policy says `local`, so that nothing
        # is counted; the `local` ones decide. A shadow policy never refuses, not even with `deny`.
        if any(c.policy.without_redis == "deny" and not c.policy.shadow for c in charges):
            raise RateLimiterUnavailable(RETRY_AFTER_SECONDS) from error
        local = [charge for charge in charges if charge.policy.without_redis == "local"]
        if not local:
            return Verdict(admitted=True, degraded="allow")
        standings = self._local.decide(self._select_local(local)).standings
        # The response headers announce the policy, not the share of this process.
        announced = [
            replace(standing, policy=charge.policy)
            for charge, standing in zip(local, standings, strict=True)
        ]
        return Verdict.of(announced, degraded="local")

    def _select_local(self, charges: Sequence[Charge]) -> list[Charge]:
        """Select the charges of `local` policies, with the share of this process as their rate."""
        local = [charge for charge in charges if charge.policy.without_redis == "local"]
        if self._processes == 1:
            return local
        return [Charge(self._scale(c.policy), c.key, c.cost) for c in local]


def scale_to_share(policy: RateLimit, processes: int) -> RateLimit:
    """Return the policy with the rate and burst that one of `processes` processes may grant."""
    rate = Rate(ceil(policy.rate.quota / processes), policy.rate.window)
    burst = None
    if policy.burst:
        # Both are rounded up, so that the share of a burst can refill more slowly than the whole.
        most = MAX_REFILL * rate.quota // rate.window
        burst = min(ceil(policy.burst / processes), most)
    return with_rate(policy, rate, burst)
