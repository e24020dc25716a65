"""`Timeline`: the events of all processes that changed the same counts, in one order."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.ratelimit.prefetch_numbers import get_shared_rule
from gateway.ratelimit.recording.events import (
    IN_FLIGHT,
    RecordedEvent,
    RecordedGap,
    RecordedRequest,
)
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.rule import Rule

LATENESS = 3 * IN_FLIGHT
"""How much earlier than a preceding event an event of one process can be: gaps begin in the past,
and the time of a request that Redis did not see is an estimate."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The recordings of the same counts, in the time that all of them cover.

    Times are in microseconds on the clock of the counts; `to_epoch` is what that clock lacks to the
    time since the epoch.
    """

    begin: int
    end: int
    to_epoch: int
    recordings: Sequence[Recording]

    @property
    def has_settlements(self) -> bool:
        """Whether any charge was corrected later."""
        return any(it.has_settlements for one in self.recordings for it in one.segments)

    def get_counted_rule(self, rule: Rule) -> Rule:
        """Return the rule with the numbers by which these counts are kept."""
        return get_shared_rule(rule) if self.recordings[0].is_shared else rule

    def iterate(self) -> Iterator[RecordedEvent]:
        """Return the events in the order in which they happened.

        A process records its own decisions in their order. Those of several processes on one Redis
        are merged by the time of the script, which runs one request at a time.
        """
        if len(self.recordings) == 1:
            alone = self.recordings[0]
            yield from _sort_by_time(alone.iterate()) if alone.is_shared else alone.iterate()
            return
        streams = [_sort_by_time(recording.iterate()) for recording in self.recordings]
        for event in heapq.merge(*streams, key=_get_order):
            if isinstance(event, RecordedGap) or self.begin < event.now <= self.end:
                yield event


def build_timelines(recordings: Iterable[Recording]) -> list[Timeline]:
    """Return a timeline for each set of counts; processes that decided nothing are left out.

    If processes share their counts, a timeline begins when the last of them began to record, and
    ends before the first snapshot: a decision of any process changes the counts of all.
    """
    by_counts: dict[str, list[Recording]] = {}
    for recording in recordings:
        if len(recording):
            by_counts.setdefault(recording.counts, []).append(recording)
    return [_build_timeline(group) for group in by_counts.values()]


def _build_timeline(recordings: Sequence[Recording]) -> Timeline:
    begin = max(recording.begin for recording in recordings)
    end = min(recording.end for recording in recordings)
    if len(recordings) > 1:
        end -= IN_FLIGHT  # what was on its way at the first snapshot is not in it
    return Timeline(begin, end, recordings[0].to_epoch, recordings)


def _sort_by_time(events: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
    """Sort events, of which none is later in the list than `LATENESS` after its time."""
    waiting: list[tuple[int, int, RecordedEvent]] = []
    latest = 0
    for number, event in enumerate(events):
        heapq.heappush(waiting, (event.now, number, event))
        latest = max(latest, event.now)
        while waiting[0][0] < latest - LATENESS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _get_order(event: RecordedEvent) -> tuple[int, int]:
    """Return the time; of decisions at the same time the one with more remaining came first."""
    return event.now, -_sum_remaining(event) if isinstance(event, RecordedRequest) else 1


def _sum_remaining(request: RecordedRequest) -> int:
    return sum(sum(decision.remaining) for decision in request.decisions)
