"""A steady rate with bursts: GCRA (ITU-T I.371), reckoned in whole numbers as a leaky bucket."""

from gateway.ratelimit.algorithms.limit_state import LimitParams


class GcraState:
    """How full the bucket of one key is.

    One request is `window` units and `quota` units drain each microsecond, so that no
    emission interval is ever rounded.
    """

    __slots__ = ("_level", "_window", "idle_at", "newest")

    def __init__(self) -> None:
        self.newest = 0
        self.idle_at = 0
        self._level = 0
        self._window = 1

    def wait(self, now: int, terms: LimitParams, cost: int) -> int:
        """How long until `cost` fits: 0 if it does, a whole window if it never will."""
        excess = self._at(now, terms) + (cost - terms.burst) * terms.window
        if excess <= 0:
            return 0
        return terms.window if cost > terms.burst else _ceil(excess, terms.quota)

    def charge(self, now: int, terms: LimitParams, cost: int) -> None:
        """Write `cost` down, whether it fits or not."""
        self._level = self._at(now, terms) + cost * terms.window
        self._window = terms.window
        self.newest = max(now, self.newest)
        self.idle_at = self.newest + _ceil(self._level, terms.quota)

    def left(self, now: int, terms: LimitParams) -> tuple[int, int]:
        """What could be spent at once, and how long until one more could come."""
        level = self._at(now, terms)
        if not level:
            return terms.burst, 0
        used = _ceil(level, terms.window)
        above = level - (min(used, terms.burst) - 1) * terms.window
        return max(0, terms.burst - used), _ceil(above, terms.quota)

    def _at(self, now: int, terms: LimitParams) -> int:
        """The level at `now`; a changed window keeps the number of requests, not the time."""
        level = self._level
        if self._window != terms.window:
            level = level * terms.window // self._window
        return max(0, level - max(0, now - self.newest) * terms.quota)


def _ceil(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
