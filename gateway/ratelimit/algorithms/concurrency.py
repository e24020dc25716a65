"""Concurrency: at most `quota` leases of a key at a time. A lease that is not renewed expires.

`gateway/ratelimit/redis/lua` holds the same algorithm for Redis, in concurrency.lua and leases.lua.
The test `tests/gateway/ratelimit/redis/test_leases.py` checks that both decide alike.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Self

from gateway.ratelimit.rule import Rule

RETRY_AFTER = 1_000_000
"""The wait of a refused request in microseconds: no clock knows when a lease ends."""


def require_lease_id(rule: Rule, lease_id: str) -> None:
    """Require the id of a lease for a charge under a concurrency limit.

    Raises:
        ValueError: there is none: `Limits.enforce` was called without a lease to take it.
    """
    if not lease_id:
        raise ValueError(
            f"policy {rule.policy}: a request under a concurrency limit needs a lease; pass one of "
            "`Limits.leases.open` to `Limits.enforce`"
        )


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

    __slots__ = ("_expiries", "expires_at", "updated_at")

    def __init__(self) -> None:
        self.updated_at = 0
        self.expires_at = 0
        self._expiries: OrderedDict[str, int] = OrderedDict()

    def compute_retry_after(self, now: int, rule: Rule, cost: int) -> int:
        """Return 0 if `cost` more leases fit, else the time after which to try again."""
        self._update(now, rule.window)
        return 0 if len(self._expiries) + cost <= rule.quota else RETRY_AFTER

    def charge(self, now: int, rule: Rule, cost: int, lease_id: str = "") -> None:
        """Add a lease, or renew it, whether it fits or not. A lease is one, whatever the cost.

        Raises:
            ValueError: the lease has no id, so that it would be that of other requests, too.
        """
        require_lease_id(rule, lease_id)
        self._update(now, rule.window)
        self._expiries[lease_id] = self.expires_at = now + rule.window
        self._expiries.move_to_end(lease_id)
        self.updated_at = now

    def release(self, lease_id: str) -> bool:
        """Remove a lease; return whether there was one, that had not been dropped."""
        return self._expiries.pop(lease_id, None) is not None

    def find_lease(self, expires_at: int) -> str | None:
        """Return the id of a lease that expires at a time, or None if there is none."""
        leases = (lease_id for lease_id, at in self._expiries.items() if at == expires_at)
        return next(leases, None)

    def compute_remaining(self, now: int, rule: Rule) -> tuple[int, int]:
        """Return the number of leases that fit, and 0: there is no time at which more must fit."""
        self._update(now, rule.window)
        return max(0, rule.quota - len(self._expiries)), 0

    def dump(self, now: int, rule: Rule) -> tuple[int, ...]:
        """Return the times at which the leases expire, the earliest first."""
        self._update(now, rule.window)
        return tuple(self._expiries.values())

    @classmethod
    def load(cls, dumped: Sequence[int], rule: Rule) -> Self:
        """Return the state that was dumped; its leases are named by their place."""
        state = cls()
        state._expiries.update((str(index), at) for index, at in enumerate(dumped))
        state.expires_at = dumped[-1] if dumped else 0
        return state

    def _update(self, now: int, window: int) -> None:
        """Drop the leases that have expired, and shorten those that expire too late."""
        expiries = self._expiries
        while expiries and next(iter(expiries.values())) <= now:
            expiries.popitem(last=False)
        for lease_id in reversed(expiries):
            if expiries[lease_id] <= now + window:
                break
            expiries[lease_id] = now + window
