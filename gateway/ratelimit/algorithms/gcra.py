"""GCRA (ITU-T I.371): a steady rate with bursts, calculated as a leaky bucket.

`gateway/ratelimit/redis/count.lua` holds the same algorithm for Redis. The differential test
`tests/gateway/ratelimit/redis/test_script.py` checks that both decide alike.
"""

from gateway.ratelimit.policy import LimitParams


class GcraState:
    """The level of the leaky bucket of one key; times in microseconds."""

    # The level is a whole number. One request adds `window` units, and `quota` units drain each
    # microsecond, so that the emission interval, window / quota, is never rounded.
    #
    # Invariants:
    # - `_level` is the level at `updated_at`, in units of `_window`; it is never negative.
    # - The bucket is empty at `expires_at`: from then on the state equals a new one.
    # - The level is at most burst * window, unless the policy is a shadow policy, charges were
    #   recorded that Redis admitted, or the burst has been lowered.
    #
    # Why never more than the burst at once, and the rate over time: a charge is admitted only if
    # the level including it is at most burst * window. In a time T the bucket drains T * quota
    # units, which makes room for T * quota / window further requests.

    __slots__ = ("_level", "_window", "expires_at", "updated_at")

    def __init__(self) -> None:
        self.updated_at = 0
        self.expires_at = 0
        self._level = 0
        self._window = 1

    def compute_retry_after(self, now: int, params: LimitParams, cost: int) -> int:
        """Return the time until `cost` fits: 0 if it does, a whole window if it never will."""
        excess = self._compute_level(now, params) + (cost - params.burst) * params.window
        # It fits.
        if excess <= 0:
            return 0
        # It never fits: the cost is above the burst, even of an empty bucket.
        if cost > params.burst:
            return params.window
        # It waits until the excess has drained.
        return _divide_up(excess, params.quota)

    def charge(self, now: int, params: LimitParams, cost: int) -> None:
        """Add a `cost` of 1 or more, whether it fits or not."""
        self._level = self._compute_level(now, params) + cost * params.window
        self._window = params.window
        self.updated_at = max(now, self.updated_at)
        self.expires_at = self.updated_at + _divide_up(self._level, params.quota)

    def compute_remaining(self, now: int, params: LimitParams) -> tuple[int, int]:
        """Return the number of requests that fit at once, and the time until one more does."""
        level = self._compute_level(now, params)
        if not level:
            return params.burst, 0
        used = _divide_up(level, params.window)
        to_drain = level - (min(used, params.burst) - 1) * params.window
        return max(0, params.burst - used), _divide_up(to_drain, params.quota)

    def _compute_level(self, now: int, params: LimitParams) -> int:
        """Return the level at `now`. A changed window keeps the number of requests in it."""
        level = self._level
        if self._window != params.window:
            level = level * params.window // self._window
        return max(0, level - max(0, now - self.updated_at) * params.quota)


def _divide_up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
