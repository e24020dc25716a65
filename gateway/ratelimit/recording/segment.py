"""`Segment`: a run of recorded events in columns, which can be read without those before it."""

from array import array
from collections.abc import Iterator, Mapping
from itertools import islice

from gateway.ratelimit.limiter import State
from gateway.ratelimit.recording.events import (
    RecordedDecision,
    RecordedEvent,
    RecordedGap,
    RecordedKey,
    RecordedRequest,
)

# The flags of a row.
ADMITTED = 1
COUNTED = 2
MORE = 4  # the next row is about the same request
GAP = 8

COLUMNS = ("flags", "times", "keys", "costs", "values")


class Segment:
    """A row per request and policy, and one per gap.

    A gap has its end in `costs`, the number of its prefix in `keys`, and its requests in `values`.
    """

    # Invariants:
    # - All columns but `values` have one item per row. `values` has one per rule of a row that was
    #   counted: what remained, or -1 - remaining if the cost did not fit; and one per gap.
    # - The rows of a request follow each other, all but the last with MORE. No request is split.
    # - `states` has (row of the request, key, state), in the order of rows.
    # - Only the last row is ever changed: a gap that grows.

    __slots__ = ("costs", "flags", "key_table", "keys", "prefixes", "states", "times", "values")

    def __init__(self) -> None:
        self.flags = array("B")
        self.times = array("q")
        self.keys = array("I")
        self.costs = array("q")
        self.values = array("q")
        self.key_table: list[RecordedKey] = []
        self.prefixes: list[str] = []
        self.states: list[tuple[int, str, array[int]]] = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.flags)

    def copy(self) -> "Segment":
        """Copy the rows so far."""
        copy = Segment()
        for name in self.__slots__:
            setattr(copy, name, getattr(self, name)[:])
        return copy

    def add_states(self, states: Mapping[str, State]) -> None:
        """Add the states before the request whose rows come next."""
        row = len(self.flags)
        self.states.extend((row, key, array("q", state)) for key, state in states.items())

    def add_gap(self, begin: int, end: int, prefix: str, requests: int) -> None:
        """Add a gap."""
        self.flags.append(GAP)
        self.times.append(begin)
        self.keys.append(len(self.prefixes))
        self.costs.append(end)
        self.values.append(requests)
        self.prefixes.append(prefix)

    def grow_gap(self, begin: int, end: int, requests: int) -> bool:
        """Extend the last row until `end` if it is a gap for all keys that began after `begin`."""
        flags = self.flags
        if not flags or flags[-1] != GAP or self.prefixes[-1] or self.times[-1] < begin:
            return False
        self.costs[-1] = end
        self.values[-1] += requests
        return True

    def iterate(self) -> Iterator[RecordedEvent]:
        """Return the events in the order in which they were recorded."""
        values, states = iter(self.values), iter(self.states)
        state = next(states, None)
        request: RecordedRequest | None = None
        rows = zip(self.flags, self.times, self.keys, self.costs, strict=True)
        for row, (flags, now, key, cost) in enumerate(rows):
            if flags == GAP:
                yield RecordedGap(now, cost, self.prefixes[key], next(values))
                continue
            if request is None:
                request = RecordedRequest(now, bool(flags & ADMITTED), bool(flags & COUNTED))
                while state is not None and state[0] <= row:
                    request.states = {**request.states, state[1]: tuple(state[2])}
                    state = next(states, None)
            request.decisions.append(self._read_decision(flags, key, cost, values))
            if not flags & MORE:
                yield request
                request = None

    def _read_decision(
        self, flags: int, number: int, cost: int, values: Iterator[int]
    ) -> RecordedDecision:
        key = self.key_table[number]
        count = len(key.rules or ()) if flags & COUNTED else 0
        numbers = tuple(islice(values, count))
        return RecordedDecision(
            key,
            cost,
            fits=tuple(number >= 0 for number in numbers),
            remaining=tuple(max(number, -1 - number) for number in numbers),
        )
