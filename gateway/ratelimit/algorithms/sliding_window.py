"""A ceiling on any window, in constant memory: an exact log that turns into buckets."""

from collections import deque

from gateway.ratelimit.algorithms.limit_state import LimitParams

BUCKETS = 60


class SlidingWindowState:
    """The hits of the last window, in buckets.

    A hit joins the newest bucket while that is younger than a sixtieth of the window, and only
    where the quota is too large for one entry per hit. A bucket leaves when its last hit is a
    whole window old: never too early, and so never more than the quota in any window.
    """

    __slots__ = ("_buckets", "_first", "_total", "idle_at", "newest")

    def __init__(self) -> None:
        self.newest = 0
        self.idle_at = 0
        self._first = 0
        self._total = 0
        self._buckets: deque[list[int]] = deque()

    def wait(self, now: int, terms: LimitParams, cost: int) -> int:
        """How long until `cost` fits: 0 if it does, a whole window if it never will."""
        now = self._expire(now, terms.window)
        excess = self._total + cost - terms.quota
        if excess <= 0:
            return 0
        for last, count in self._buckets:
            excess -= count
            if excess <= 0:
                return last + terms.window - now
        return terms.window

    def charge(self, now: int, terms: LimitParams, cost: int) -> None:
        """Write `cost` down, whether it fits or not."""
        now = self._expire(now, terms.window)
        # A shadow policy is charged beyond its quota: the log must stay small there too.
        held = len(self._buckets)
        is_exact = terms.quota <= BUCKETS and held < BUCKETS
        if held and not is_exact and now < self._first + terms.window // BUCKETS:
            newest = self._buckets[-1]
            newest[0] = now
            newest[1] += cost
        else:
            self._first = now
            self._buckets.append([now, cost])
        self.newest = now
        self.idle_at = now + terms.window
        self._total += cost

    def left(self, now: int, terms: LimitParams) -> tuple[int, int]:
        """What could be spent at once, and how long until the oldest bucket leaves."""
        if not self._buckets:
            return terms.quota, 0
        reset = self._buckets[0][0] + terms.window - max(now, self.newest)
        return max(0, terms.quota - self._total), reset

    def _expire(self, now: int, window: int) -> int:
        now = max(now, self.newest)
        buckets = self._buckets
        while buckets and buckets[0][0] + window <= now:
            self._total -= buckets.popleft()[1]
        return now
