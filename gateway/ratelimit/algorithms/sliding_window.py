"""Sliding window: never more than the quota in any window, in constant memory per key.

`gateway/ratelimit/redis/lua/sliding_window.lua` holds the same algorithm for Redis. The test
`tests/gateway/ratelimit/redis/test_script.py` checks that both decide alike.
"""

from collections import deque
from collections.abc import Sequence
from typing import Self

from gateway.ratelimit.rule import Rule

BUCKETS = 60


class SlidingWindowState:
    """The charges of one key within the last window, in buckets; times in microseconds."""

    # Invariants, with `buckets` from oldest to newest, each [time of its last charge, count]:
    # - The times never decrease; the last one is at most `updated_at`. Counts are 1 or more, but
    #   for buckets of which all was given back; such a bucket is never the newest one.
    # - `_total` is the sum of all counts.
    # - `_first` is the time of the first charge in the newest bucket, and less than
    #   window / BUCKETS before its last one; or 0, so that the next charge gets a new bucket.
    # - A charge that is inside the window is in a bucket that has not been dropped.
    #
    # Why never more than the quota in any window: a bucket is dropped when its *last* charge is
    # a whole window old, so `_total` is never less than the charges in the window that ends now. A
    # charge is admitted only if `_total` including it is at most the quota. Every window ends at
    # or after the last charge in it, and at that charge the window held at most the quota.
    #
    # The price of buckets: the first charge of a bucket counts for as long as its last, so that a
    # charge can be refused for up to a sixtieth of the window longer than necessary. It is never
    # admitted too early. Quotas up to BUCKETS are exact: each charge has a bucket of its own, as
    # long as the key is not charged beyond its quota.

    __slots__ = ("_buckets", "_first", "_total", "expires_at", "updated_at")

    def __init__(self) -> None:
        self.updated_at = 0
        self.expires_at = 0
        self._first = 0
        self._total = 0
        self._buckets: deque[list[int]] = deque()

    def compute_retry_after(self, now: int, rule: Rule, cost: int) -> int:
        """Return the time until `cost` fits: 0 if it does, a whole window if it never will."""
        now = self._drop_expired(now, rule.window)
        excess = self._total + cost - rule.quota
        # It fits.
        if excess <= 0:
            return 0
        # It waits for the oldest buckets: it fits once those that hold the excess have expired.
        for last, count in self._buckets:
            excess -= count
            if excess <= 0:
                return last + rule.window - now
        # It never fits: the cost is above the quota, even of an empty window.
        return rule.window

    def charge(self, now: int, rule: Rule, cost: int, lease_id: str = "") -> None:
        """Add a `cost` of 1 or more, whether it fits or not. It has no leases."""
        now = self._drop_expired(now, rule.window)
        # A charge joins the newest bucket if that is younger than a sixtieth of the window. Up to
        # a quota of BUCKETS each charge gets its own bucket, as long as there are few: a key can
        # be charged beyond its quota by what was admitted elsewhere, and must not grow without
        # bound.
        count = len(self._buckets)
        is_exact = rule.quota <= BUCKETS and count < BUCKETS
        if count and not is_exact and now < self._first + rule.window // BUCKETS:
            newest = self._buckets[-1]
            newest[0] = now
            newest[1] += cost
        else:
            self._first = now
            self._buckets.append([now, cost])
        self.updated_at = now
        self.expires_at = now + rule.window
        self._total += cost

    def give_back(self, now: int, rule: Rule, charged_at: int, amount: int) -> None:
        """Give back an `amount` that was charged at `charged_at`, unless that has expired.

        It is given back in the bucket of the charge: the first whose last charge is not before it.
        With a `charged_at` that is too early, that is an older bucket, which expires sooner, so
        that the total is never less than the charges in the window.
        """
        if self._drop_expired(now, rule.window) >= charged_at + rule.window:
            return
        for bucket in self._buckets:
            if amount and bucket[0] >= charged_at:
                taken = min(amount, bucket[1])
                bucket[1] -= taken
                self._total -= taken
                amount -= taken
        if not self._total:
            self._reset()
        elif not self._buckets[-1][1]:
            self._buckets.pop()
            self._first = 0

    def compute_remaining(self, now: int, rule: Rule) -> tuple[int, int]:
        """Return the number of requests that fit at once, and the time until the reset.

        The reset is the time at which the oldest bucket expires.
        """
        if not self._buckets:
            return rule.quota, 0
        reset = self._buckets[0][0] + rule.window - max(now, self.updated_at)
        return max(0, rule.quota - self._total), reset

    def dump(self, now: int, rule: Rule) -> tuple[int, ...]:
        """Return the time of the last charge, `_first`, and each bucket, the oldest first."""
        self._drop_expired(now, rule.window)
        if not self._buckets:
            return (0, 0)
        numbers = [self.updated_at, self._first]
        for bucket in self._buckets:
            numbers += bucket
        return tuple(numbers)

    def list_buckets(self, now: int, max_age: int) -> list[tuple[int, int]]:
        """Return the age and the count of each bucket younger than `max_age`, the oldest first."""
        ages = ((max(0, now - last), count) for last, count in self._buckets if count)
        return [bucket for bucket in ages if bucket[0] < max_age]

    @classmethod
    def load(cls, dumped: Sequence[int], rule: Rule) -> Self:
        """Return the state that was dumped, of a key with this rule.

        Raises:
            ValueError: it is no dump of a sliding window.
        """
        if len(dumped) < 2 or len(dumped) % 2:
            raise ValueError(f"{len(dumped)} numbers are no state of a sliding window")
        state = cls()
        state.updated_at, state._first = dumped[:2]
        buckets = zip(dumped[2::2], dumped[3::2], strict=True)
        state._buckets.extend([last, count] for last, count in buckets)
        state._total = sum(count for _, count in state._buckets)
        state.expires_at = state.updated_at + rule.window if state._buckets else 0
        return state

    def _drop_expired(self, now: int, window: int) -> int:
        """Drop the buckets outside the window; return the later of `now` and the last charge."""
        now = max(now, self.updated_at)
        buckets = self._buckets
        while buckets and buckets[0][0] + window <= now:
            self._total -= buckets.popleft()[1]
            if not buckets:
                self._reset()
        return now

    def _reset(self) -> None:
        """Become a new state, as one that has expired does when it is dropped."""
        self.updated_at = self.expires_at = self._first = self._total = 0
        self._buckets.clear()
