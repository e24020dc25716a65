"""GCRA (ITU-T I.371): a steady rate with bursts, calculated as a leaky bucket.

`gateway/ratelimit/redis/lua/gcra.lua` holds the same algorithm for Redis. The test
`tests/gateway/ratelimit/redis/test_script.py` checks that both decide alike.
"""

from collections.abc import Sequence
from typing import Self

from gateway.ratelimit.rule import Rule


class GcraState:
    """The level of the leaky bucket of one key; times in microseconds."""

    # The level is a whole number. One request adds `window` units, and `quota` units drain each
    # microsecond, so that the emission interval, window / quota, is never rounded.
    #
    # Invariants:
    # - `_level` is the level at `updated_at`; it is never negative. `_quota` is that of the rule
    #   then.
    # - The bucket is empty at `expires_at`: from then on the state equals a new one.
    # - The level is at most burst * window, unless charges were recorded that Redis admitted, or
    #   the burst has been lowered.
    #
    # Why never more than the burst at once, and the rate over time: a charge is admitted only if
    # the level including it is at most burst * window. In a time T the bucket drains T * quota
    # units, which makes room for T * quota / window further requests.
    #
    # Why giving back never admits more: had the charge been lower, the level would be lower by what
    # is returned, less what has drained since the charge, or by nothing, once the bucket was empty.
    #
    # If the quota changes, the number of requests in the bucket stays. A larger one drains it from
    # the last charge on, so that it applies at once. A smaller one drains it from the next charge
    # on: until then, the time of `expires_at` stays true.

    __slots__ = ("_level", "_quota", "expires_at", "updated_at")

    def __init__(self) -> None:
        self.updated_at = 0
        self.expires_at = 0
        self._level = 0
        self._quota = 0

    def compute_retry_after(self, now: int, rule: Rule, cost: int) -> int:
        """Return the time until `cost` fits: 0 if it does, a whole window if it never will."""
        excess = self._drain(now, rule) + (cost - rule.burst) * rule.window
        # It fits.
        if excess <= 0:
            return 0
        # It never fits: the cost is above the burst, even of an empty bucket.
        if cost > rule.burst:
            return rule.window
        # It waits until the excess has drained.
        return _divide_up(excess, max(rule.quota, self._quota))

    def charge(self, now: int, rule: Rule, cost: int, lease_id: str = "") -> None:
        """Add a `cost` of 1 or more, whether it fits or not. It has no leases."""
        self._level = self._drain(now, rule) + cost * rule.window
        self._quota = rule.quota
        self.updated_at = max(now, self.updated_at)
        self.expires_at = self.updated_at + _divide_up(self._level, rule.quota)

    def give_back(self, now: int, rule: Rule, charged_at: int, amount: int) -> None:
        """Give back what has not drained of an `amount` that was charged at `charged_at`."""
        level, now = self._drain(now, rule), max(now, self.updated_at)
        drained = max(0, now - charged_at) * max(rule.quota, self._quota)
        left = amount * rule.window - drained
        if left > 0 and level:
            self._level = max(0, level - left)
            self.updated_at = now
            self.expires_at = now + _divide_up(self._level, self._quota)
            self._drain(now, rule)

    def compute_remaining(self, now: int, rule: Rule) -> tuple[int, int]:
        """Return the number of requests that fit at once, and the time until one more does."""
        level = self._drain(now, rule)
        if not level:
            return rule.burst, 0
        used = _divide_up(level, rule.window)
        to_drain = level - (min(used, rule.burst) - 1) * rule.window
        reset = _divide_up(to_drain, max(rule.quota, self._quota))
        return max(0, rule.burst - used), reset

    def dump(self, now: int, rule: Rule) -> tuple[int, ...]:
        """Return the time of the last charge, and the level and the quota at that time."""
        is_empty = not self._drain(now, rule)
        return (0, 0, 0) if is_empty else (self.updated_at, self._level, self._quota)

    def estimate_level(self, now: int) -> tuple[int, int]:
        """Return the level now, and the quota that drains it: that of the last charge."""
        drained = max(0, now - self.updated_at) * self._quota
        return max(0, self._level - drained), self._quota

    @classmethod
    def load(cls, dumped: Sequence[int], rule: Rule) -> Self:
        """Return the state that was dumped, of a key with this rule.

        Raises:
            ValueError: it is no dump of a leaky bucket.
        """
        if len(dumped) != 3:
            raise ValueError(f"{len(dumped)} numbers are no state of a leaky bucket")
        state = cls()
        state.updated_at, state._level, state._quota = dumped
        drain = state._quota or rule.quota
        state.expires_at = state.updated_at + _divide_up(state._level, drain)
        return state

    def _drain(self, now: int, rule: Rule) -> int:
        """Return the level at `now`. An empty bucket becomes a new one, as if it was dropped."""
        drained = max(0, now - self.updated_at) * max(rule.quota, self._quota)
        if drained >= self._level:
            self.updated_at = self.expires_at = self._level = self._quota = 0
        return max(0, self._level - drained)


def _divide_up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
