"""What every limiter does: weigh the charges of one request and give one verdict.

Nobody changes these values. They are not frozen, since each request makes three of them, and
a frozen dataclass takes three times as long to make.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Self

from gateway.ratelimit.policy import RateLimit


@dataclass(slots=True)
class Charge:
    """What one request costs under one policy, and on whose account (`key`).

    Raises:
        ValueError: the cost is negative, which would give quota back.
    """

    policy: RateLimit
    key: str
    cost: int = 1

    def __post_init__(self) -> None:
        if self.cost < 0:
            raise ValueError(f"policy {self.policy.name}: a cost of {self.cost} is negative")


@dataclass(slots=True)
class Standing:
    """Where an account stands after the verdict; times in seconds.

    `reset` is when some quota comes back, `retry_after` when the same charge will fit
    (0: it fitted). A shadow policy with a `retry_after` would have refused.
    """

    policy: RateLimit
    remaining: int
    reset: float
    retry_after: float = 0


@dataclass(slots=True)
class Verdict:
    """Whether the request may go on, and why not.

    `degraded` names how it was decided without Redis ("local" or "allow"), if it was.
    A policy that nobody could count has no standing.
    """

    admitted: bool
    standings: tuple[Standing, ...] = ()
    refused_by: tuple[str, ...] = ()
    degraded: str | None = None

    @classmethod
    def of(cls, standings: Sequence[Standing], degraded: str | None = None) -> Self:
        """Refuse if any policy that is not a shadow says that the charge does not fit."""
        refused: tuple[str, ...] = ()
        for standing in standings:
            if standing.retry_after and not standing.policy.shadow:
                refused += (standing.policy.name,)
        return cls(not refused, tuple(standings), refused, degraded)

    @property
    def retry_after(self) -> float:
        """Seconds until the refused request would be admitted; 0 if it was."""
        return max((s.retry_after for s in self.standings if not s.policy.shadow), default=0)


class RateLimiter(ABC):
    """Counts requests: all policies of one are charged together, or none."""

    @abstractmethod
    def check(self, charges: Sequence[Charge]) -> Awaitable[Verdict]:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            CountersUnavailable: it cannot be counted, and a policy says `deny`.
        """

    @abstractmethod
    def health(self) -> dict[str, str | int]:
        """How the counting is going, for `/readyz` and metrics."""
