"""The result of a simulation: the effect of the proposed policies, and its basis."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class KeyEffect:
    """The requests of one partition, and how many of them are decided otherwise."""

    key: str
    requests: int = 0
    newly_refused: int = 0
    newly_admitted: int = 0


@dataclass(slots=True)
class OwnEffect:
    """The requests that one policy refuses, whatever the others do.

    `newly_refused` are admitted requests that it would refuse; `newly_admitted` were refused by it
    and would be admitted. Several policies may refuse the same request.
    """

    refused_before: int = 0
    refused_after: int = 0
    newly_refused: int = 0
    newly_admitted: int = 0


@dataclass(slots=True)
class Effect:
    """The requests that a proposed policy counts, as they are decided before and after.

    A request with several policies is refused if any of them refuses it. `shadow_refused` counts
    the requests that the policy would refuse if it were no shadow. `own` counts those that the
    policy itself refuses. `restarts_counts` says that the proposal has other windows, or another
    algorithm: all keys begin with nothing used.
    """

    requests: int = 0
    refused_before: int = 0
    refused_after: int = 0
    newly_refused: int = 0
    newly_admitted: int = 0
    shadow_refused: int = 0
    restarts_counts: bool = False
    own: OwnEffect = field(default_factory=OwnEffect)
    by_key: dict[str, KeyEffect] = field(default_factory=dict)

    def list_keys(self, most: int) -> Sequence[KeyEffect]:
        """Return the effect by partition, at most so many: those where most changes first."""
        return heapq.nsmallest(
            most,
            self.by_key.values(),
            key=lambda it: (-it.newly_refused - it.newly_admitted, -it.requests, it.key),
        )

    def keep_keys(self, most: int) -> None:
        """Drop the effect by partition, except for those where most changes."""
        self.by_key = {it.key: it for it in self.list_keys(most)}

    def add(self, partition: str, *, before: bool, after: bool) -> None:
        """Count a request that was admitted or not, and would be admitted or not."""
        key = self.by_key.get(partition)
        if key is None:
            key = self.by_key[partition] = KeyEffect(partition)
        self.requests += 1
        key.requests += 1
        self.refused_before += not before
        self.refused_after += not after
        if before and not after:
            self.newly_refused += 1
            key.newly_refused += 1
        elif after and not before:
            self.newly_admitted += 1
            key.newly_admitted += 1


@dataclass(slots=True)
class Coverage:
    """The basis of a simulation; `begin` and `end` are in seconds since the epoch.

    `requests` were replayed, under all policies, of `keys` callers. `left_out` counts requests
    that were not, by reason.
    """

    begin: float
    end: float
    requests: int
    keys: int
    processes: Sequence[str]
    left_out: Mapping[str, int]

    @property
    def seconds(self) -> float:
        """How long the recorded time is."""
        return max(0.0, self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The effect of each proposed policy, by name, and of all of them together.

    `newly_refused` and `newly_admitted` count each request once. Every recorded decision was
    reproduced.
    """

    effects: Mapping[str, Effect]
    newly_refused: int
    newly_admitted: int
    covers: Coverage
    accuracy: str
