"""`Rule`: the numbers by which the requests of one key are counted.

A policy has one rule per window. Which rules count a caller follows from the policy, the tier of
the caller, and the override of its key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import wraps
from typing import Literal, TypeVar

WithoutRedis = Literal["local", "deny", "allow"]

SLOWAPI = "slowapi"
"""The name that the limits of slowapi's decorators share; no policy can be declared under it."""

MICROSECONDS = 1_000_000

MAX_QUOTA = 999_999_999
MAX_BURST = 999_999_999
MAX_REFILL = 99_999 * 86_400
"""The longest time in seconds in which a burst can refill; numbers in Redis are exact up to it."""

MAX_CACHED_RULES = 1_024

T = TypeVar("T")


class Algorithm(Enum):
    """How a rule counts; the values are the names of the algorithms in the script for Redis."""

    SLIDING_WINDOW = "sliding_window"
    GCRA = "gcra"
    CONCURRENCY = "concurrency"


@dataclass(frozen=True, slots=True)
class Rule:
    """One window of a policy, or its number of leases, with what limiters need of the policy.

    `label` is the name on the wire: that of the policy, or with several windows `dashboards:60s`.
    `window` is in microseconds; of a concurrency limit it is the time after which a lease expires.
    `burst` is 0 unless the algorithm is GCRA. `prefetch` is the number of requests that a process
    may take in advance; 0 counts exactly.

    `key_suffix` ends the keys. It holds the window and the algorithm, so that a rule with another
    quota keeps the counts, and one with another window or algorithm begins anew.
    """

    policy: str
    label: str
    algorithm: Algorithm
    quota: int
    window: int
    burst: int = 0
    shadow: bool = False
    without_redis: WithoutRedis = "local"
    prefetch: int = 0
    key_suffix: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compute the end of the keys."""
        object.__setattr__(self, "key_suffix", self._make_key_suffix())

    def _make_key_suffix(self) -> str:
        if self.algorithm is Algorithm.CONCURRENCY:
            return f"{self.policy}:held"
        steady = "~" if self.algorithm is Algorithm.GCRA else ""
        return f"{self.policy}:{self.window // MICROSECONDS}{steady}"


def change_numbers(rule: Rule, quota: float, burst: float) -> Rule:
    """Copy a rule with another quota and burst, as near to these numbers as a rule may have.

    A burst stays one, and it refills in `MAX_REFILL` at most.
    """
    quota = int(min(max(quota, 1), MAX_QUOTA))
    most = min(MAX_BURST, MAX_REFILL * MICROSECONDS * quota // max(rule.window, 1))
    return replace(rule, quota=quota, burst=int(max(1, min(burst, most))) if rule.burst else 0)


def cache_per_rule(compute: Callable[[Rule], T]) -> Callable[[Rule], T]:
    """Cache the results of `compute` by the identity of the rule.

    Hashing all fields of a rule would cost more than most results. The cache holds at most
    `MAX_CACHED_RULES` entries, and a reference to each rule, so that the `id` of a cached rule is
    never reused.
    """
    cache: dict[int, tuple[T, Rule]] = {}

    @wraps(compute)
    def get_or_compute(rule: Rule) -> T:
        entry = cache.get(id(rule))
        if entry is None:
            if len(cache) >= MAX_CACHED_RULES:
                cache.clear()
            entry = cache[id(rule)] = compute(rule), rule
        return entry[0]

    return get_or_compute
