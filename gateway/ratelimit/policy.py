"""`RateLimit`, the declaration of one rate-limit policy, and values derived from a policy alone."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Literal, NamedTuple, TypeVar, get_args

from gateway.settings.errors import find_nearest
from gateway.settings.rate import Rate

Per = Literal["user", "service", "tenant", "address"]
WithoutRedis = Literal["local", "deny", "allow"]

SLOWAPI = "slowapi"
"""The name that the limits of slowapi's decorators share; no policy can be declared under it."""

MAX_BURST = 999_999_999
MAX_REFILL = 99_999 * 86_400
"""The longest time in seconds in which a burst can refill; numbers in Redis are exact up to it."""

MICROSECONDS = 1_000_000
MAX_CACHED_POLICIES = 1_024

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, init=False)
class RateLimit:
    """One policy: the rate, the partition it is counted for, and the fallback without Redis.

    Without `burst` the policy is a sliding window: never more than the quota in any window,
    wherever it starts. With `burst` it is a steady rate (GCRA, a leaky bucket) that admits up to
    `burst` requests at once. A `shadow` policy counts and is logged, but never refuses.

    Raises:
        TypeError, ValueError: a value is invalid. A misspelt fallback would otherwise be none, and
            `shadow="false"` would never refuse a request.
    """

    name: str
    rate: Rate
    per: Per
    without_redis: WithoutRedis
    burst: int | None
    shadow: bool

    def __init__(  # noqa: PLR0913 - one keyword per word of the declaration
        self,
        name: str,
        rate: str | Rate,
        *,
        per: Per = "user",
        without_redis: WithoutRedis = "local",
        burst: int | None = None,
        shadow: bool = False,
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"policy name {name!r} is invalid: use a lower-case letter, then at most 63 "
                "lower-case letters, digits or underscores"
            )
        rate = Rate.parse(rate) if isinstance(rate, str) else rate
        _check_choice(name, "per", per, get_args(Per))
        _check_choice(name, "without_redis", without_redis, get_args(WithoutRedis))
        _check_type(name, "rate", rate, Rate, "a text such as '120/minute'")
        _check_type(name, "shadow", shadow, bool, "True or False")
        if burst is not None:
            _check_type(name, "burst", burst, int, "a whole number")
            check_burst(name, rate, burst)
        set_field = object.__setattr__
        set_field(self, "name", name)
        set_field(self, "rate", rate)
        set_field(self, "per", per)
        set_field(self, "without_redis", without_redis)
        set_field(self, "burst", burst)
        set_field(self, "shadow", shadow)


def check_burst(name: str, rate: Rate, burst: int) -> None:
    """Check a burst against its rate.

    Raises:
        ValueError: it is not positive, or too large.
    """
    if not 1 <= burst <= MAX_BURST:
        raise ValueError(
            f"policy {name}: burst is {burst}; it must be at least 1 and at most {MAX_BURST}"
        )
    if burst * rate.window > MAX_REFILL * rate.quota:
        raise ValueError(
            f"policy {name}: a burst of {burst} would refill in more than {MAX_REFILL // 86_400} "
            f"days at {rate}"
        )


def _check_choice(policy: str, field: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        nearest = find_nearest(value, choices) if isinstance(value, str) else None
        hint = f"; did you mean {nearest}?" if nearest else ""
        raise ValueError(
            f"policy {policy}: {field} is {value!r}; it must be one of {', '.join(choices)}{hint}"
        )


def _check_type(policy: str, field: str, value: object, kind: type, expected: str) -> None:
    is_bool = isinstance(value, bool) and kind is not bool
    if not isinstance(value, kind) or is_bool:
        raise TypeError(f"policy {policy}: {field} is {value!r:.60}; it must be {expected}")


def with_rate(policy: RateLimit, rate: Rate, burst: int | None = None) -> RateLimit:
    """Copy a policy with another rate, and with another burst if one is given."""
    return RateLimit(
        policy.name,
        rate,
        per=policy.per,
        without_redis=policy.without_redis,
        burst=burst or policy.burst,
        shadow=policy.shadow,
    )


def cache_per_policy(compute: Callable[[RateLimit], T]) -> Callable[[RateLimit], T]:
    """Cache the results of `compute` by the identity of the policy.

    Hashing all fields of a policy would cost more than most results. The cache holds at most
    `MAX_CACHED_POLICIES` entries, and a reference to each policy, so that the `id` of a cached
    policy is never reused.
    """
    cache: dict[int, tuple[T, RateLimit]] = {}

    @wraps(compute)
    def get_or_compute(policy: RateLimit) -> T:
        entry = cache.get(id(policy))
        if entry is None:
            if len(cache) >= MAX_CACHED_POLICIES:
                cache.clear()
            entry = cache[id(policy)] = compute(policy), policy
        return entry[0]

    return get_or_compute


class LimitParams(NamedTuple):
    """The numbers of a policy that the algorithms calculate with.

    `quota` and `burst` are numbers of requests, `window` is in microseconds. A `burst` of 0
    selects the sliding window.
    """

    quota: int
    window: int
    burst: int


@cache_per_policy
def get_limit_params(policy: RateLimit) -> LimitParams:
    """Return the numbers of `policy`."""
    return LimitParams(policy.rate.quota, policy.rate.window * MICROSECONDS, policy.burst or 0)
