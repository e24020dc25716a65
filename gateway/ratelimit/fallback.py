"""`FallbackLimiter`: applies `without_redis` of each rule when Redis is slow or down."""

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.ratelimit.rule import Rule, cache_per_rule, change_numbers

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
        self._scale = cache_per_rule(partial(scale_to_share, processes=processes))
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
        if any(c.rule.without_redis == "deny" and not c.rule.shadow for c in charges):
            raise RateLimiterUnavailable(RETRY_AFTER_SECONDS) from error
        local = [charge for charge in charges if charge.rule.without_redis == "local"]
        if not local:
            return Verdict(admitted=True, degraded="allow", now=self._local.read_clock())
        verdict = self._local.decide(self._select_local(local))
        # The response headers announce the policy, not the share of this process.
        announced = [
            replace(standing, rule=charge.rule)
            for charge, standing in zip(local, verdict.standings, strict=True)
        ]
        return Verdict.of(announced, verdict.now, degraded="local")

    def _select_local(self, charges: Sequence[Charge]) -> list[Charge]:
        """Select the charges of `local` policies, with the share of this process as their rate."""
        local = [charge for charge in charges if charge.rule.without_redis == "local"]
        if self._processes == 1:
            return local
        return [replace(charge, rule=self._scale(charge.rule)) for charge in local]


def scale_to_share(rule: Rule, processes: int) -> Rule:
    """Return the rule with the quota and burst that one of `processes` processes may grant.

    Both are rounded up.
    """
    return change_numbers(rule, ceil(rule.quota / processes), ceil(rule.burst / processes))
