"""Concurrency: at most `quota` leases of a key at a time. A lease that is not renewed expires.

`gateway/ratelimit/redis/lua/concurrency.lua` and `leases.lua` hold the same algorithm for Redis. The
differential test `tests/gateway/ratelimit/redis/test_leases.py` checks that both decide alike.
"""

from collections import OrderedDict

from gateway.ratelimit.rule import Rule

RETRY_AFTER = 1_000_000
"""The wait in microseconds that a refused request is told: no clock knows when a lease ends."""


class ConcurrencyState:
    """The leases of one key, each with the time at which it expires; times in microseconds."""

    # Invariants:
    # - `_expiries` has the expiry of each lease by its id, the earliest first. A lease that has
    #   expired never counts.
    # - At `now` no lease expires later than `now + rule.window`. A later one is from a clock that
    #   was set back, or from a longer lease time: it is shortened, so that a lease whose process
    #   has been killed never counts for longer than the lease time.
    # - The leases are at most `quota`, unless the rule is a shadow rule, leases were recorded that
    #   Redis granted, or the quota has been lowered.

    __slots__ = ("_expiries", "updated_at")

    def __init__(self) -> None:
        self.updated_at = 0
        self._expiries: OrderedDict[str, int] = OrderedDict()

    @property
    def expires_at(self) -> int:
        """The time from which on the state equals a new one."""
        return next(reversed(self._expiries.values()), 0)

    def compute_retry_after(self, now: int, rule: Rule, cost: int) -> int:
        """Return 0 if `cost` more leases fit, else the time after which to try again."""
        self._update(now, rule.window)
        return 0 if len(self._expiries) + cost <= rule.quota else RETRY_AFTER

    def hold(self, now: int, rule: Rule, lease_id: str) -> None:
        """Add a lease, or renew it, whether it fits or not."""
        self._update(now, rule.window)
        self._expiries[lease_id] = now + rule.window
        self._expiries.move_to_end(lease_id)
        self.updated_at = now

    def release(self, lease_id: str) -> None:
        """Remove a lease; no effect if it has expired."""
        self._expiries.pop(lease_id, None)

    def compute_remaining(self, now: int, rule: Rule) -> tuple[int, int]:
        """Return the number of leases that fit, and 0: there is no time at which more must fit."""
        self._update(now, rule.window)
        return max(0, rule.quota - len(self._expiries)), 0

    def _update(self, now: int, window: int) -> None:
        """Drop the leases that have expired, and shorten those that expire too late."""
        expiries = self._expiries
        while expiries and next(iter(expiries.values())) <= now:
            expiries.popitem(last=False)
        for lease_id in reversed(expiries):
            if expiries[lease_id] <= now + window:
                break
            expiries[lease_id] = now + window
