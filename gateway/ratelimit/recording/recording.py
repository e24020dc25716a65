"""`Recording`: the decisions that one process has recorded, as an immutable snapshot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.ratelimit.recording.events import RecordedEvent
from gateway.ratelimit.recording.read_segment import read_segment
from gateway.ratelimit.recording.segment import Segment

SHARED = "redis"
"""The counts that all processes share; those of a process alone have its name."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Every decision of one process between two times, and what changed its counts otherwise.

    `counts` names the counts that decided: `SHARED`, or `memory:` and the name of the process.
    It holds what was decided after `begin`, until `end`, in microseconds on their clock. `to_epoch`
    is what that clock lacks to the time since the epoch.
    """

    process: str
    counts: str
    begin: int
    end: int
    to_epoch: int
    segments: Sequence[Segment]

    @property
    def is_shared(self) -> bool:
        """Whether other processes change the same counts."""
        return self.counts == SHARED

    def iterate(self) -> Iterator[RecordedEvent]:
        """Return the events in the order in which the process saw them."""
        for segment in self.segments:
            yield from read_segment(segment)

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(len(segment) for segment in self.segments)
