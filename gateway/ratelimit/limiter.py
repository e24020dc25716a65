"""`RateLimiter`, the interface of every limiter: the charges of one request in, one verdict out.

`Charge`, `Standing` and `Verdict` are treated as immutable. They are not frozen dataclasses,
because each request creates three of them and a frozen one takes three times as long to create.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Self

from gateway.ratelimit.policy import RateLimit


@dataclass(slots=True)
class Charge:
    """The cost of one request under one policy, and the key that it is counted under.

    Raises:
        ValueError: the cost is negative, which would give quota back.
    """

    policy: RateLimit
    key: str
    cost: int = 1

    def __post_init__(self) -> None:
        if self.cost < 0:
            raise ValueError(
                f"policy {self.policy.name}: cost is {self.cost}; it must be at least 0"
            )


@dataclass(slots=True)
class Standing:
    """The state of one key after the verdict; times are in seconds.

    `remaining` requests fit at once. `reset` is the time until some quota comes back.
    `retry_after` is the time until the same charge will fit; 0 means that it did. A shadow policy
    with a `retry_after` would have refused the request.
    """

    policy: RateLimit
    remaining: int
    reset: float
    retry_after: float = 0


@dataclass(slots=True)
class Verdict:
    """Whether the request is admitted, and which policies refused it.

    `degraded` is None, or how the verdict was reached without Redis: "local" or "allow". A policy
    that could not be counted has no standing.
    """

    admitted: bool
    standings: tuple[Standing, ...] = ()
    refused_by: tuple[str, ...] = ()
    degraded: str | None = None

    @classmethod
    def of(cls, standings: Sequence[Standing], degraded: str | None = None) -> Self:
        """Refuse if the charge does not fit under any policy that is not a shadow policy."""
        refused_by: tuple[str, ...] = ()
        for standing in standings:
            if standing.retry_after and not standing.policy.shadow:
                refused_by += (standing.policy.name,)
        return cls(not refused_by, tuple(standings), refused_by, degraded)

    @property
    def retry_after(self) -> float:
        """Seconds until the refused request would be admitted; 0 if it was admitted."""
        return max((s.retry_after for s in self.standings if not s.policy.shadow), default=0)


class RateLimiter(ABC):
    """Counts requests. All policies of one request are charged together, or none is."""

    @abstractmethod
    def check(self, charges: Sequence[Charge]) -> Awaitable[Verdict]:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """

    @abstractmethod
    def clear(self, prefix: str) -> Coroutine[Any, Any, None] | None:
        """Drop the counts of all keys that begin with `prefix`: in this process at once.

        Returns what remains to be awaited, for counts in Redis. It raises a RedisError or an
        OSError if Redis cannot be reached.
        """

    @abstractmethod
    def health(self) -> dict[str, str | int]:
        """Return the state of the counters, for `/readyz` and metrics."""
