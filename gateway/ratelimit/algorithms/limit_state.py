"""What one key has spent, as a limiter in this process keeps it; times in microseconds.

`count.lua` keeps the same accounts in Redis; both decide alike, and a test holds them to it.
"""

from typing import NamedTuple, Protocol

from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_cache import cache_per_policy

MICROSECONDS = 1_000_000


class LimitParams(NamedTuple):
    """A policy in the numbers one counts with; `burst` is 0 where there is none."""

    quota: int
    window: int
    burst: int


@cache_per_policy
def limit_params(policy: RateLimit) -> LimitParams:
    """The numbers of `policy`."""
    return LimitParams(policy.rate.quota, policy.rate.window * MICROSECONDS, policy.burst or 0)


class LimitState(Protocol):
    """One key's spending. `now` may run back; the account then stays at its newest time.

    From `idle_at` on it is as good as a new one.
    """

    newest: int
    idle_at: int

    def wait(self, now: int, terms: LimitParams, cost: int) -> int:
        """How long until `cost` fits: 0 if it does, a whole window if it never will."""

    def charge(self, now: int, terms: LimitParams, cost: int) -> None:
        """Write `cost` down, whether it fits or not."""

    def left(self, now: int, terms: LimitParams) -> tuple[int, int]:
        """What could be spent at once, and how long until more comes back; after `wait`."""
