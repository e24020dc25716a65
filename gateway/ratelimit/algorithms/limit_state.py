"""`LimitState`, the interface of all algorithms, and the class of each algorithm."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.algorithms.gcra import GcraState
from gateway.ratelimit.algorithms.sliding_window import SlidingWindowState
from gateway.ratelimit.limiter import State
from gateway.ratelimit.rule import Algorithm, Rule


class LimitState(Protocol):
    """The state of one key under one algorithm; all times are in microseconds.

    `updated_at` is the time of the last charge. An earlier `now` counts as `updated_at`: a clock
    that is set back gives no quota back. From `expires_at` on the state equals a new one.
    """

    updated_at: int
    expires_at: int

    def compute_retry_after(self, now: int, rule: Rule, cost: int) -> int:
        """Return the time until `cost` fits: 0 if it does, a whole window if it never will."""

    def charge(self, now: int, rule: Rule, cost: int, lease_id: str = "") -> None:
        """Add a `cost` of 1 or more, whether it fits or not. A concurrency limit has leases."""

    def compute_remaining(self, now: int, rule: Rule) -> tuple[int, int]:
        """Return the number of requests that fit at once, and the time until more do.

        Call it after `compute_retry_after` or `charge` with the same `now`.
        """

    def dump(self, now: int, rule: Rule) -> State:
        """Return the state as numbers, in the form in which Redis returns it.

        Call it after `compute_retry_after` with the same `now`. A state that equals a new one at
        `now` gives the numbers of a new one.
        """

    @classmethod
    def load(cls, dumped: Sequence[int], rule: Rule) -> Self:
        """Return the state that was dumped, of a key with this rule.

        Raises:
            ValueError: it is no dump of this algorithm.
        """


STATE_TYPES: Mapping[Algorithm, type[LimitState]] = {
    Algorithm.SLIDING_WINDOW: SlidingWindowState,
    Algorithm.GCRA: GcraState,
    Algorithm.CONCURRENCY: ConcurrencyState,
}
