"""What follows from a policy alone, worked out once: a hash of all it says would cost more."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from gateway.ratelimit.policy import RateLimit

MAX_POLICIES = 1_024

T = TypeVar("T")


def cache_per_policy(work_out: Callable[[RateLimit], T]) -> Callable[[RateLimit], T]:
    """Remember what `work_out` says of each policy object, for so many of them.

    A policy is immutable and is kept with its answer, so that its `id` is nobody else's.
    """
    known: dict[int, tuple[T, RateLimit]] = {}

    @wraps(work_out)
    def remembered(policy: RateLimit) -> T:
        found = known.get(id(policy))
        if found is None:
            if len(known) >= MAX_POLICIES:
                known.clear()
            found = known[id(policy)] = work_out(policy), policy
        return found[0]

    return remembered
