"""`RateLimiter`, the interface of every limiter: the charges of one request in, one verdict out.

`Charge`, `Standing` and `Verdict` are treated as immutable. They are not frozen dataclasses,
because each request creates three of them and a frozen one takes three times as long to create.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from gateway.ratelimit.rule import Rule

State = tuple[int, ...]
"""The state of one key, as `dump` of its algorithm returns it."""


@dataclass(slots=True)
class Charge:
    """The cost of one request under one rule, and the key that it is counted under.

    `lease_id` names the lease of a concurrency limit. With `wants_state` the verdict has the state
    of the key before the decision.

    Raises:
        ValueError: the cost is negative, which would give quota back.
    """

    rule: Rule
    key: str
    cost: int = 1
    lease_id: str = ""
    wants_state: bool = False

    def __post_init__(self) -> None:
        if self.cost < 0:
            raise ValueError(
                f"policy {self.rule.policy}: cost is {self.cost}; it must be at least 0"
            )


@dataclass(slots=True)
class Standing:
    """The state of one key after the verdict; times are in seconds.

    `remaining` requests fit at once. `reset` is the time until some quota comes back.
    `retry_after` is the time until the same charge will fit; 0 means that it did. A shadow rule
    with a `retry_after` would have refused the request.
    """

    rule: Rule
    remaining: int
    reset: float
    retry_after: float = 0


@dataclass(slots=True)
class Verdict:
    """Whether the request is admitted, and which policies refused it, each once.

    `degraded` is None, or how the verdict was reached without Redis: "local" or "allow". A rule
    that could not be counted has no standing. `now` is the time of the decision in microseconds, on
    the clock that decided: that of Redis, or of the process. `states` are the states of keys before
    the decision, for the charges that want them; None if there are none. `blocked_for` is the time
    in seconds until a block of the key ends; a block is decided before anything is counted.
    `is_repeated` says that the process repeats a refusal of Redis from memory.
    """

    admitted: bool
    standings: tuple[Standing, ...] = ()
    refused_by: tuple[str, ...] = ()
    degraded: str | None = None
    now: int = 0
    states: Mapping[str, State] | None = None
    blocked_for: float = 0
    is_repeated: bool = False

    @classmethod
    def of(
        cls,
        standings: Sequence[Standing],
        now: int,
        *,
        degraded: str | None = None,
        states: Mapping[str, State] | None = None,
    ) -> Self:
        """Refuse if the charge does not fit under any rule that is not a shadow rule."""
        refused_by: tuple[str, ...] = ()
        for standing in standings:
            if standing.retry_after and not standing.rule.shadow:
                name = standing.rule.policy
                if name not in refused_by:
                    refused_by += (name,)
        return cls(not refused_by, tuple(standings), refused_by, degraded, now, states)

    @property
    def retry_after(self) -> float:
        """Seconds until the refused request would be admitted; 0 if it was admitted."""
        waits = (s.retry_after for s in self.standings if not s.rule.shadow)
        return max(waits, default=self.blocked_for)

    @property
    def violated(self) -> tuple[str, ...]:
        """What refused the request, by the names that the header fields give to rules."""
        if self.blocked_for:
            return self.refused_by
        refusing = (s.rule for s in self.standings if s.retry_after and not s.rule.shadow)
        return tuple(rule.label for rule in refusing)


class RateLimiter(ABC):
    """Counts requests. All rules of one request are charged together, or none is."""

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
