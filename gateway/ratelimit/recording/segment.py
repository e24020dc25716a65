"""`Segment`: a run of recorded events in columns, which can be read without those before it."""

from array import array
from collections.abc import Mapping, Sequence

from gateway.ratelimit.limiter import State
from gateway.ratelimit.recording.events import RecordedKey

SEGMENTS = 16
"""The most segments of a recording."""

MAX_SEGMENT_KEYS = 4_096
MAX_SEGMENT_STATE_NUMBERS = 262_144
"""A segment that has so many ends after the request."""

# The kind of a row.
DECISION, GAP, SETTLEMENT, TAKEN, RENEWED, RELEASED = range(0, 192, 32)

# The flags of a decision.
ADMITTED = 1
COUNTED = 2
MORE = 4  # the next row is about the same request
GRANTED = 8  # Redis has granted further requests in advance
REFUSES = 16  # the policy of this row refuses the request

VALUES = {GAP: 1, SETTLEMENT: 2, TAKEN: 0, RENEWED: 1, RELEASED: 1}
"""How many values a row has; see `Segment` about decisions."""

COLUMNS = ("flags", "times", "keys", "costs", "values")


class Segment:
    """Rows of several kinds, each of one key.

    - A decision: the values are what remained of each rule, or -1 - remaining if the cost did not
      fit, and then the number of requests granted in advance, if there are any. A request with
      several policies has several rows; the last one has that number.
    - A gap: the cost is its end, the key is the number of its prefix, the value is the number of
      requests.
    - A settlement: the cost is the difference, the values are when the request was decided and
      charged.
    - A lease, which was taken by the request that follows, renewed or released: the cost is the
      number of the lease, the value is when it would have expired.
    """

    # Invariants:
    # - All columns but `values` have one item per row.
    # - The rows of a request follow each other, all but the last with MORE, after the leases that
    #   it takes. No request is split.
    # - `states` has (row of the request, key, state), in the order of rows.
    # - Only the last event is ever changed: a gap that grows, a request that gets what belongs to
    #   all of its rows. Its kind and MORE never are.
    # - `_requests` is the number of requests in the first `_counted` rows.

    __slots__ = (*COLUMNS, "_counted", "_requests", "key_table", "prefixes", "states")

    def __init__(self) -> None:
        self.flags = array("B")
        self.times = array("q")
        self.keys = array("I")
        self.costs = array("q")
        self.values = array("q")
        self.key_table: list[RecordedKey] = []
        self.prefixes: list[str] = []
        self.states: list[tuple[int, str, array[int]]] = []
        self._counted = self._requests = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.flags)

    @property
    def has_settlements(self) -> bool:
        """Whether it has any settlement."""
        return SETTLEMENT in self.flags.tobytes()

    def count_requests(self) -> int:
        """Return the number of requests: decisions after which no row is about the same one.

        It reads the rows that are new since the last call: it is called each second.
        """
        new = self.flags[self._counted :].tobytes()
        self._counted += len(new)
        self._requests += sum(new.count(last) for last in range(GAP) if not last & MORE)
        return self._requests

    def list_decided_keys(self) -> list[RecordedKey]:
        """Return the keys of the decisions, each once."""
        rows = zip(self.flags, self.keys, strict=True)
        return [self.key_table[key] for key in {key for flags, key in rows if flags < GAP}]

    def copy(self) -> "Segment":
        """Copy the rows so far."""
        copy = Segment()
        for name in (*COLUMNS, "key_table", "prefixes", "states"):
            setattr(copy, name, getattr(self, name)[:])
        return copy

    def add_states(self, states: Mapping[str, State]) -> None:
        """Add the states before the request whose rows come next."""
        row = len(self.flags)
        self.states.extend((row, key, array("q", state)) for key, state in states.items())

    def add_gap(self, begin: int, end: int, prefix: str, requests: int) -> None:
        """Add a gap."""
        self._add_row(GAP, begin, len(self.prefixes), end)
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

    def add_grant(self, granted: int) -> None:
        """Add to the request of the last row how many more were granted in advance."""
        self.flags[-1] |= GRANTED
        self.values.append(granted)

    def add_refusals(self, refuses: Sequence[bool]) -> None:
        """Add to the rows of the last request whether their policies refuse it."""
        for row, is_refusing in enumerate(refuses, start=len(self.flags) - len(refuses)):
            if is_refusing:
                self.flags[row] |= REFUSES

    def add_settlement(
        self, now: int, key: int, difference: int, decided_at: int, charged_at: int
    ) -> None:
        """Add a settlement of one charge."""
        self._add_row(SETTLEMENT, now, key, difference)
        self.values.extend((decided_at, charged_at))

    def add_lease(self, kind: int, now: int, key: int, number: int, *expires_at: int) -> None:
        """Add a lease that was taken, renewed or released."""
        self._add_row(kind, now, key, number)
        self.values.extend(expires_at)

    def _add_row(self, kind: int, now: int, key: int, cost: int) -> None:
        self.flags.append(kind)
        self.times.append(now)
        self.keys.append(key)
        self.costs.append(cost)
