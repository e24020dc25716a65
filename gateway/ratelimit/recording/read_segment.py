"""`read_segment`: turns the columns of a segment back into events."""

from collections.abc import Iterator
from itertools import islice

from gateway.ratelimit.limiter import State
from gateway.ratelimit.recording.events import (
    RecordedDecision,
    RecordedEvent,
    RecordedGap,
    RecordedLease,
    RecordedRequest,
    RecordedSettlement,
)
from gateway.ratelimit.recording.segment import (
    ADMITTED,
    COUNTED,
    DECISION,
    GAP,
    GRANTED,
    MORE,
    REFUSES,
    RELEASED,
    SETTLEMENT,
    TAKEN,
    Segment,
)

_KIND = 0xE0

_Row = tuple[int, int, int, int]  # flags, time, key, cost


def read_segment(segment: Segment) -> Iterator[RecordedEvent]:
    """Return the events in the order in which they were recorded."""
    values, states = iter(segment.values), iter(segment.states)
    state = next(states, None)
    request: RecordedRequest | None = None
    leases: dict[str, int] = {}
    rows = zip(segment.flags, segment.times, segment.keys, segment.costs, strict=True)
    for number, row in enumerate(rows):
        kind = row[0] & _KIND
        if kind == TAKEN:
            leases[segment.key_table[row[2]].keys[0]] = row[3]
        elif kind != DECISION:
            yield _read_event(segment, kind, row, values)
        else:
            if request is None:
                request = RecordedRequest(row[1], bool(row[0] & ADMITTED), bool(row[0] & COUNTED))
                request.leases, leases = leases, {}
                before = dict[str, State]()
                while state is not None and state[0] <= number:
                    before[state[1]] = tuple(state[2])
                    state = next(states, None)
                request.states = before
            request.decisions.append(_read_decision(segment, row, values))
            if row[0] & GRANTED:
                request.granted = next(values)
            if not row[0] & MORE:
                yield request
                request = None


def _read_event(segment: Segment, kind: int, row: _Row, values: Iterator[int]) -> RecordedEvent:
    _, now, number, cost = row
    if kind == GAP:
        return RecordedGap(now, cost, segment.prefixes[number], next(values))
    key = segment.key_table[number]
    if kind == SETTLEMENT:
        return RecordedSettlement(now, key, cost, next(values), next(values))
    return RecordedLease(now, key, cost, next(values), kind == RELEASED)


def _read_decision(segment: Segment, row: _Row, values: Iterator[int]) -> RecordedDecision:
    flags, _, number, cost = row
    key = segment.key_table[number]
    count = len(key.rules or ()) if flags & COUNTED else 0
    numbers = tuple(islice(values, count))
    return RecordedDecision(
        key,
        cost,
        refuses=bool(flags & REFUSES),
        fits=tuple(number >= 0 for number in numbers),
        remaining=tuple(max(number, -1 - number) for number in numbers),
    )
