"""Which parts of a composite have how much time."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.aggregation.part import BoundPart


@dataclass(frozen=True, slots=True)
class TimeoutGroup:
    """The parts that have so many seconds: those that are one call, and those that are more."""

    seconds: float
    calls: tuple[BoundPart, ...]
    coroutines: tuple[BoundPart, ...]


def group_by_timeout(parts: Sequence[BoundPart]) -> tuple[TimeoutGroup, ...]:
    """One for each time-out."""
    return tuple(
        TimeoutGroup(
            seconds,
            calls=tuple(part for part in parts if part.timeout == seconds and part.is_one_call),
            coroutines=tuple(
                part for part in parts if part.timeout == seconds and not part.is_one_call
            ),
        )
        for seconds in dict.fromkeys(part.timeout for part in parts)
    )
