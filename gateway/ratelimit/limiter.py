"""`RateLimiter`, the interface of every limiter: the charges of one request in, one verdict out.

Its roles are protocols of their own: decide requests, keep leases, settle charges, clear counts.

No field of `Charge`, `Standing` and `Verdict` is written after their creation: each is `Final`, so
that mypy refuses it. They are not frozen dataclasses, because each request creates three of them,
and a frozen one takes three times as long to create.
"""

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol, Self

from gateway.ratelimit.rule import Rule

State = tuple[int, ...]
"""The state of one key, as `dump` of its algorithm returns it."""


class RedisCheckFailed(Exception):
    """Redis gave no verdict. It is not known whether the request was charged."""


@dataclass(slots=True)
class Charge:
    """The cost of one request under one rule, and the key that it is counted under.

    `lease_id` names the lease of a concurrency limit. With `wants_state` the verdict has the state
    of the key before the decision. `advance` is the number of further requests at the same cost
    that Redis may grant with this one.

    Raises:
        ValueError: the cost is negative, which would give quota back.
    """

    rule: Final[Rule]
    key: Final[str]
    cost: Final[int] = 1
    lease_id: Final[str] = ""
    wants_state: Final[bool] = False
    advance: Final[int] = 0

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

    rule: Final[Rule]
    remaining: Final[int]
    reset: Final[float]
    retry_after: Final[float] = 0


@dataclass(slots=True)
class Verdict:
    """Whether the request is admitted, and which policies refused it, each once.

    `degraded` is None, or how the verdict was reached without Redis: "local" or "allow". A rule
    that could not be counted has no standing. `now` is the time of the decision in microseconds, on
    the clock that decided: that of Redis, or of the process. `states` are the states of keys before
    the decision, for the charges that want them; None if there are none. `blocked_for` is the time
    in seconds until a block of the key ends; a block is decided before anything is counted.
    `is_remembered` says that no counts were read: the process remembers a refusal of Redis, or
    spends what Redis has granted in advance. `shadow_refused_by` are the shadow policies that would
    have refused the request; they are not charged. `granted` is the number of further requests
    that Redis has granted in advance.
    """

    admitted: Final[bool]
    standings: Final[tuple[Standing, ...]] = ()
    refused_by: Final[tuple[str, ...]] = ()
    degraded: Final[str | None] = None
    now: Final[int] = 0
    states: Final[Mapping[str, State] | None] = None
    blocked_for: Final[float] = 0
    granted: Final[int] = 0
    is_remembered: Final[bool] = False
    shadow_refused_by: Final[tuple[str, ...]] = ()

    @classmethod
    def of(  # noqa: PLR0913 - the keywords are fields that standings do not tell
        cls,
        standings: Sequence[Standing],
        now: int,
        *,
        degraded: str | None = None,
        states: Mapping[str, State] | None = None,
        granted: int = 0,
        is_remembered: bool = False,
    ) -> Self:
        """Refuse if the charge does not fit under any rule that is not a shadow rule."""
        refused_by: tuple[str, ...] = ()
        shadow_refused_by: tuple[str, ...] = ()
        for standing in standings:
            if standing.retry_after:
                name = standing.rule.policy
                if standing.rule.shadow:
                    shadow_refused_by += (name,) if name not in shadow_refused_by else ()
                elif name not in refused_by:
                    refused_by += (name,)
        return cls(
            not refused_by,
            tuple(standings),
            refused_by,
            degraded,
            now,
            states,
            0,
            granted,
            is_remembered,
            shadow_refused_by,
        )

    def select_charged(self, charges: Sequence[Charge]) -> Sequence[Charge]:
        """Select what an admitted request was charged: nothing that a shadow would have refused."""
        if not self.shadow_refused_by:
            return charges
        return [it for it in charges if it.rule.policy not in self.shadow_refused_by]

    @property
    def retry_after(self) -> float:
        """Seconds until the refused request would be admitted; 0 if it was admitted."""
        waits = (s.retry_after for s in self.standings if not s.rule.shadow)
        return max(waits, default=self.blocked_for)

    @property
    def violated(self) -> tuple[str, ...]:
        """The rules that refused the request, by the names that the header fields give to rules."""
        if self.blocked_for:
            return self.refused_by
        refusing = (s.rule for s in self.standings if s.retry_after and not s.rule.shadow)
        return tuple(rule.label for rule in refusing)


class LeaseUpdate(NamedTuple):
    """Renews the lease of a charge under a concurrency limit, or releases it."""

    charge: Charge
    is_release: bool


class Mark(NamedTuple):
    """A time before a check: microseconds on the local clock, and how often counts were cleared."""

    at: int
    clears: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """Corrects charges once the cost is known: each with what is charged in addition.

    A negative difference is given back. `before` is a mark from before the check, `verdict` is its
    verdict. `age` is the time since the check, in microseconds, if Redis has not decided it, so
    that the time of the verdict is not one of its clock; else 0.
    """

    differences: Sequence[tuple[Charge, int]]
    before: Mark
    verdict: Verdict
    age: int = 0

    def keep_additions(self) -> "Settlement":
        """Return the settlement without what is given back."""
        additions = [(charge, more) for charge, more in self.differences if more > 0]
        return replace(self, differences=additions)


class CountObserver(Protocol):
    """Sees what changes counts besides checks, as the recorder does, on the event loop.

    `now` is the time of the change, in microseconds on the clock that decides.
    """

    def observe_settlement(self, settlement: Settlement, charged_at: int, now: int) -> None:
        """Take note of corrected charges, which had been charged at `charged_at`."""

    def observe_leases(self, updates: Sequence[LeaseUpdate], now: int) -> None:
        """Take note of leases that were renewed or released."""

    def forget(self, prefix: str = "") -> None:
        """Take note that the counts of keys with this prefix were cleared, or lost with Redis."""

    def forget_key(self, key: str) -> None:
        """Take note that the counts of a key were evicted."""


class RequestChecker(Protocol):
    """Decides requests. All rules of one request are charged together, or none is."""

    @abstractmethod
    def check(self, charges: Sequence[Charge]) -> Awaitable[Verdict]:
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """


class LeaseStore(Protocol):
    """Keeps the leases of concurrency limits."""

    @abstractmethod
    def update_leases(self, updates: Sequence[LeaseUpdate]) -> "Future[int] | None":
        """Renew and release leases: before any later check, and whether they are known or not.

        Returns a future, which raises RedisCheckFailed, if Redis has to be awaited. Its result is
        the time of Redis.

        Raises:
            RedisCheckFailed: there is no connection to Redis. This process has the updates.
        """

    @abstractmethod
    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call a function after each later connect to Redis, which may have lost the leases."""


class ChargeSettler(Protocol):
    """Corrects what requests were charged."""

    @abstractmethod
    def mark(self) -> Mark:
        """Mark the time, before a check whose charges may be settled."""

    @abstractmethod
    def settle(self, settlement: Settlement) -> "Future[int] | None":
        """Correct charges: give back what is negative, charge the rest whether it fits or not.

        If counts were cleared since the check, nothing is given back.

        Returns a future, which raises RedisCheckFailed, if Redis has to be awaited. Its result is
        the time of Redis.

        Raises:
            RedisCheckFailed: there is no connection to Redis. This process has settled its part.
        """


class ClearableCounts(Protocol):
    """The counts of this process, and those that it shares with others in Redis."""

    @abstractmethod
    def clear_local(self, prefix: str) -> None:
        """Drop what this process counts and remembers of all keys that begin with `prefix`.

        The counts in Redis stay. Any thread may call it.
        """

    @abstractmethod
    async def clear_shared(self, prefix: str, keys: Collection[str] = ()) -> None:
        """Delete the counts in Redis of `keys`, or of all keys that begin with `prefix`.

        `prefix` is that of the keys in any case. Call `clear_local` before. Without Redis there is
        nothing to delete.

        Raises:
            RedisError, OSError: Redis cannot be reached.
        """


class RateLimiter(RequestChecker, LeaseStore, ChargeSettler, ClearableCounts, ABC):
    """Counts requests. Code that needs one of its roles asks for that protocol alone."""

    count_observer: CountObserver | None = None

    def set_observer(self, observer: CountObserver) -> None:
        """Let an observer see what changes the counts that decide."""
        self.count_observer = observer

    @abstractmethod
    def health(self) -> dict[str, str | int]:
        """Return the state of the counters, for `/readyz` and metrics."""
