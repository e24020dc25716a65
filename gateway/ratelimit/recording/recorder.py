"""`Recorder`: sees every decision of this process; counts it, and keeps it for a while.

It runs in every request that is limited. `python -m tests.bench.instructions` measures what it
costs; docs/explanation/how-a-simulation-works.md explains what it keeps, and why.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from gateway.ratelimit.limiter import Charge, State, Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy_in_force import Block, Rules
from gateway.ratelimit.recording.events import RecordedKey
from gateway.ratelimit.recording.recording import SHARED, Recording
from gateway.ratelimit.recording.segment import ADMITTED, COUNTED, MORE, Segment
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.usage.usage import Usage

MAX_ROWS = 200_000
SEGMENTS = 16
MAX_SEGMENT_KEYS = 4_096
MAX_SEGMENT_STATE_NUMBERS = 262_144

IN_FLIGHT = MICROSECONDS
"""How long a check can be on its way and in Redis, in microseconds."""

_KeyOfNumber = tuple[int, str, str, str | None]


class Recorder:
    """Records decisions in a ring of segments: at most `rows` rows; with 0 it counts alone.

    `is_shared` says that other processes change the same counts. `clock` is monotonic and in
    seconds, `wall` is the time since the epoch.
    """

    # Invariants:
    # - `_segments` ends with the open segment. The others are full, and never change. There are
    #   at most SEGMENTS.
    # - `_known` has the keys whose state was recorded in the open segment, and not lost since.
    # - `_numbers` has the number in the key table of the open segment for each set of rules (by
    #   identity), policy, partition and tier. `_rule_sets` keeps those rules alive.
    # - `_last` is the time of the latest counted decision, on the clock of the counts and on
    #   `_clock`.
    # - Every decision after `_begin` is in a segment. It is 0 until the first decision.

    def __init__(
        self,
        process: str,
        *,
        is_shared: bool,
        rows: int = MAX_ROWS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.process = process
        self.usage = Usage(clock, wall)
        self._counts = SHARED if is_shared else f"memory:{process}"
        self._margin = IN_FLIGHT if is_shared else 0
        self._segment_rows = -(-rows // SEGMENTS)
        self._clock = clock
        self._wall = wall
        self._segments = deque([Segment()])
        self._known = set[str]()
        self._state_numbers = 0
        self._numbers: dict[_KeyOfNumber, int] = {}
        self._rule_sets: list[Rules | Block] = []
        # The clock of a memory limiter is the monotonic one, and that of Redis the epoch's.
        self._last = (round(wall() * MICROSECONDS), clock()) if is_shared else (0, 0.0)
        self._opened_at = clock()
        self._begin = 0

    def wants_state(self, key: str) -> bool:
        """Return whether the state of a key before the next decision is to be recorded."""
        return key not in self._known and self._segment_rows > 0

    def observe(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        verdict: Verdict,
    ) -> None:
        """Record a decision. It must be called in the order in which the limiter decided."""
        self.usage.count(demands, rule_sets, verdict)
        if not self._segment_rows:
            return
        if verdict.degraded:
            self._lose_counts("", 1)
            return
        flags = ADMITTED if verdict.admitted else 0
        if charges and not verdict.is_repeated:
            flags |= COUNTED
            self._last = verdict.now, self._clock()
            if not self._begin:
                self._begin = self._estimate_at(self._opened_at) - 1
        segment = self._open_segment()
        if verdict.states:
            self._add_states(segment, verdict.states)
        self._add_rows(segment, demands, rule_sets, flags, verdict)

    def lose(self, charges: Sequence[Charge]) -> None:
        """Record that these charges may have been counted, or not."""
        for charge in charges:
            self.forget(charge.key)

    def forget(self, prefix: str = "") -> None:
        """Note that the counts of all keys with this prefix may have changed unseen just before.

        Such changes are a reset, an eviction, a check without a reply. The states of these keys
        are recorded again.
        """
        if self._segment_rows:
            self._lose_counts(prefix, 0)

    def snapshot(self) -> Recording:
        """Return what has been recorded until now. It copies the open segment alone."""
        end = self._estimate_now()
        *closed, last = self._segments
        to_epoch = round(self._wall() * MICROSECONDS) - end
        segments = (*closed, last.copy())
        return Recording(self.process, self._counts, self._begin, end, to_epoch, segments)

    def _add_rows(
        self,
        segment: Segment,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        flags: int,
        verdict: Verdict,
    ) -> None:
        now = verdict.now if flags & COUNTED else self._estimate_now()
        numbers, standings = self._numbers, iter(verdict.standings)
        left = len(demands)
        for demand, rules in zip(demands, rule_sets, strict=True):
            left -= 1
            known = id(rules), demand.policy.name, demand.partition, demand.tier
            number = numbers.get(known)
            if number is None:
                number = self._add_key(segment, demand, rules)
            segment.add_row(flags | MORE if left else flags, now, number, demand.cost)
            if flags & COUNTED and type(rules) is tuple:
                for _ in rules:
                    segment.add_standing(next(standings))

    def _add_key(self, segment: Segment, demand: Demand, rules: Rules | Block) -> int:
        """Add a key to the table of the segment; return its number."""
        name, partition, tier = demand.policy.name, demand.partition, demand.tier
        number = len(segment.key_table)
        if isinstance(rules, Block):
            counted: Rules | None = () if rules.shadow else None
        else:
            counted = rules
        keys = tuple(make_key(rule, partition) for rule in counted or ())
        segment.key_table.append(RecordedKey(name, partition, tier, counted, keys))
        self._numbers[id(rules), name, partition, tier] = number
        self._rule_sets.append(rules)
        return number

    def _add_states(self, segment: Segment, states: Mapping[str, State]) -> None:
        new = {key: state for key, state in states.items() if key not in self._known}
        segment.add_states(new)
        self._known.update(new)
        self._state_numbers += sum(map(len, new.values()))

    def _open_segment(self) -> Segment:
        """Return the open segment; begin another one if it is full."""
        segment = self._segments[-1]
        if (
            len(segment.flags) < self._segment_rows
            and len(segment.key_table) < MAX_SEGMENT_KEYS
            and self._state_numbers < MAX_SEGMENT_STATE_NUMBERS
        ):
            return segment
        segment = Segment()
        self._segments.append(segment)
        self._known.clear()
        self._numbers.clear()
        self._rule_sets.clear()
        self._state_numbers = 0
        if len(self._segments) > SEGMENTS:
            self._begin = self._segments.popleft().times[-1]
        return segment

    def _lose_counts(self, prefix: str, requests: int) -> None:
        """Record a gap that ends now, and begins before the checks that may be on their way."""
        if prefix:
            self._known = {key for key in self._known if not key.startswith(prefix)}
        else:
            self._known.clear()
        now = self._estimate_now()
        begin = now - self._margin
        segment = self._open_segment()
        if prefix or not segment.grow_gap(begin - self._margin, now, requests):
            segment.add_gap(begin, now, prefix, requests)

    def _estimate_now(self) -> int:
        return self._estimate_at(self._clock())

    def _estimate_at(self, local: float) -> int:
        """Return a time of `_clock` on the clock of the counts, which is not asked."""
        now, asked_at = self._last
        return now + int((local - asked_at) * MICROSECONDS)
