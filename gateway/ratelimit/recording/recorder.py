"""`Recorder`: sees every decision of this process; counts it, and keeps it for a while.

It runs in every request that is limited. `python -m tests.bench.instructions` measures what it
costs; docs/explanation/how-a-simulation-works.md explains what it keeps, and why.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from hashlib import blake2b
from logging import ERROR, getLogger
from typing import Concatenate, ParamSpec

from gateway.ratelimit.limiter import Charge, LeaseUpdate, Settlement, Standing, State, Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.partition import get_partition, make_key
from gateway.ratelimit.policy_in_force import Block, Rules
from gateway.ratelimit.recording.events import IN_FLIGHT, RecordedKey
from gateway.ratelimit.recording.recording import SHARED, Recording
from gateway.ratelimit.recording.segment import (
    ADMITTED,
    COUNTED,
    MAX_SEGMENT_KEYS,
    MAX_SEGMENT_STATE_NUMBERS,
    MORE,
    RELEASED,
    RENEWED,
    SEGMENTS,
    TAKEN,
    Segment,
)
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.usage.count_decisions import Usage
from gateway.telemetry.log import log_event

MAX_ROWS = 200_000
MAX_LEASES = 100_000

log = getLogger("lockgate.ratelimit")

P = ParamSpec("P")


def _stop_on_failure(
    method: "Callable[Concatenate[Recorder, P], None]",
) -> "Callable[Concatenate[Recorder, P], None]":
    """Stop recording if the method fails: a request is not to fail because of its recording."""

    @wraps(method)
    def call(recorder: "Recorder", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(recorder, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - see above
            recorder.stop(error)

    return call


_KeyOfNumber = tuple[int, str, str, str | None]


class Recorder:
    """Records decisions in a ring of segments: at most `rows` rows; with 0 it counts alone.

    `is_shared` says that other processes change the same counts. `clock` is monotonic and in
    seconds, `wall` is the time since the epoch.
    """

    # Invariants:
    # - `_segment` is the open segment, the last of `_segments`. The others never change. There are
    #   at most SEGMENTS. The open one is full if it has `_segment_rows` rows, or if `_is_full`.
    # - `_known` has the keys whose state was recorded in the open segment, and not lost since.
    # - `_numbers` has the number in the key table of the open segment for each set of rules (by
    #   identity), policy, partition and tier; and for each rule and key. `_identified` keeps those
    #   rules alive, so that no identity is used twice.
    # - `_lease_expiries` has the leases that requests of this process hold, by key and lease.
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
        self._segment = Segment()
        self._segments = deque([self._segment])
        self._known = set[str]()
        self._state_numbers = 0
        self._is_full = False
        self._numbers: dict[_KeyOfNumber, int] = {}
        self._identified: list[object] = []
        self._lease_expiries: dict[tuple[str, str], int] = {}
        # The clock of a memory limiter is the monotonic one, and that of Redis the epoch's.
        self._last = (round(wall() * MICROSECONDS), clock()) if is_shared else (0, 0.0)
        self._opened_at = clock()
        self._begin = 0
        self._has_failed = False

    def stop(self, error: Exception) -> None:
        """Record nothing more, and drop what was recorded: after a failure, it may have holes."""
        if not self._has_failed:
            self._has_failed = True
            log_event(log, "limits.recording_failed", ERROR, error)
        self._segment_rows = self._begin = 0
        self._begin_segment()
        self._segments = deque([self._segment])

    def wants_state(self, key: str) -> bool:
        """Return whether the state of a key before the next decision is to be recorded."""
        return key not in self._known and self._segment_rows > 0

    @_stop_on_failure
    def observe(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        charges: Sequence[Charge],
        verdict: Verdict,
    ) -> None:
        """Record a decision. It must be called in the order in which the limiter decided."""
        local = self._clock()
        self.usage.count(demands, verdict, int(local))
        if not self._segment_rows:
            return
        if verdict.degraded:
            self._known.clear()
            self._add_gap("", 1)
            return
        self._make_room()
        flags = 0
        is_counted = len(verdict.standings) == len(charges) > 0 and not verdict.is_remembered
        if is_counted:
            flags |= COUNTED
            now = verdict.now
            self._last = now, local
        else:
            now = self._estimate_at(local)
        self._begin = self._begin or self._estimate_at(self._opened_at) - 1
        if verdict.states:
            self._add_states(verdict.states)
        if verdict.admitted:
            flags |= ADMITTED
            self._take_leases(charges, verdict, now)
        self._add_request(demands, rule_sets, flags, now, verdict)

    @_stop_on_failure
    def observe_settlement(self, settlement: Settlement, charged_at: int, now: int) -> None:
        """Record corrected charges."""
        if not self._segment_rows:
            return
        self._make_room()
        for charge, difference in settlement.differences:
            key = self._number_charge(charge)
            decided_at = settlement.verdict.now
            self._segment.add_settlement(now, key, difference, decided_at, charged_at)

    @_stop_on_failure
    def observe_leases(self, updates: Sequence[LeaseUpdate], now: int) -> None:
        """Record leases that were renewed or released."""
        if not self._segment_rows:
            return
        for charge, is_release in updates:
            self._make_room()
            held = charge.key, charge.lease_id
            expires_at = self._lease_expiries.pop(held, 0)
            if not is_release:
                self._lease_expiries[held] = now + charge.rule.window
            kind, number = RELEASED if is_release else RENEWED, _hash_lease(charge.lease_id)
            self._segment.add_lease(kind, now, self._number_charge(charge), number, expires_at)

    @_stop_on_failure
    def record_unknown(self, charges: Sequence[Charge]) -> None:
        """Record that these charges may have been counted, or not."""
        if self._segment_rows:
            for charge in charges:
                self._known.discard(charge.key)
                self._add_gap(charge.key, 0)

    @_stop_on_failure
    def forget(self, prefix: str = "") -> None:
        """Note that the counts of all keys with this prefix may have changed unseen just before.

        Such changes are a reset and an outage. The states of these keys are recorded again.
        """
        if self._segment_rows:
            self._known = {key for key in self._known if prefix and not key.startswith(prefix)}
            self._add_gap(prefix, 0)

    @_stop_on_failure
    def forget_key(self, key: str) -> None:
        """Note that a key was evicted; it matters if its state is to be known."""
        if key in self._known:
            self._known.discard(key)
            self._add_gap(key, 0)

    def snapshot(self) -> Recording:
        """Return what has been recorded until now. It copies the open segment alone."""
        end = self._estimate_at(self._clock())
        *closed, last = self._segments
        to_epoch = round(self._wall() * MICROSECONDS) - end
        segments = (*closed, last.copy())
        return Recording(self.process, self._counts, self._begin, end, to_epoch, segments)

    def describe_span(self) -> tuple[int, int, int]:
        """Return the begin and the end of what is recorded, and its number of requests.

        Times are microseconds since the epoch. With gaps alone, it has no request.
        """
        end = self._estimate_at(self._clock())
        to_epoch = round(self._wall() * MICROSECONDS) - end
        requests = sum(segment.count_requests() for segment in self._segments) if self._begin else 0
        return self._begin + to_epoch, end + to_epoch, requests

    def _add_request(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        flags: int,
        now: int,
        verdict: Verdict,
    ) -> None:
        """Add the rows of a request, and what belongs to all of them."""
        if len(demands) == 1:
            self._add_row(demands[0], rule_sets[0], flags, now, verdict.standings)
        else:
            self._add_rows(demands, rule_sets, flags, now, verdict.standings)
        if verdict.granted:
            self._segment.add_grant(verdict.granted)
        if verdict.refused_by:
            self._segment.add_refusals([it.policy.name in verdict.refused_by for it in demands])

    def _add_rows(
        self,
        demands: Sequence[Demand],
        rule_sets: Sequence[Rules | Block],
        flags: int,
        now: int,
        standings: Sequence[Standing],
    ) -> None:
        """Add a row for each demand; the standings are those of all their rules."""
        first, last = 0, len(demands) - 1
        for index, (demand, rules) in enumerate(zip(demands, rule_sets, strict=True)):
            end = first if isinstance(rules, Block) else first + len(rules)
            row_flags = flags | MORE if index < last else flags
            self._add_row(demand, rules, row_flags, now, standings[first:end])
            first = end

    def _add_row(
        self,
        demand: Demand,
        rules: Rules | Block,
        flags: int,
        now: int,
        standings: Sequence[Standing],
    ) -> None:
        segment = self._segment
        number = self._numbers.get((id(rules), demand.policy.name, demand.partition, demand.tier))
        if number is None:
            number = self._add_key(demand, rules)
        segment.flags.append(flags)
        segment.times.append(now)
        segment.keys.append(number)
        segment.costs.append(demand.cost)
        if flags & COUNTED:
            for standing in standings:
                left = standing.remaining
                segment.values.append(-1 - left if standing.retry_after else left)

    def _add_key(self, demand: Demand, rules: Rules | Block) -> int:
        """Add a key to the table of the segment; return its number."""
        name, partition, tier = demand.policy.name, demand.partition, demand.tier
        if isinstance(rules, Block):
            counted: Rules | None = () if rules.shadow else None
        else:
            counted = rules
        keys = tuple(make_key(rule, partition) for rule in counted or ())
        key = RecordedKey(name, partition, tier, counted, keys)
        return self._add_to_table((id(rules), name, partition, tier), key, rules)

    def _add_to_table(self, known: _KeyOfNumber, key: RecordedKey, identified: object) -> int:
        """Add a key to the table of the segment; `identified` is what the id in `known` is of."""
        table = self._segment.key_table
        table.append(key)
        self._is_full |= len(table) >= MAX_SEGMENT_KEYS
        self._numbers[known] = len(table) - 1
        self._identified.append(identified)
        return len(table) - 1

    def _add_states(self, states: Mapping[str, State]) -> None:
        new = {key: state for key, state in states.items() if key not in self._known}
        self._segment.add_states(new)
        self._known.update(new)
        self._state_numbers += sum(map(len, new.values()))
        self._is_full |= self._state_numbers >= MAX_SEGMENT_STATE_NUMBERS

    def _take_leases(self, charges: Sequence[Charge], verdict: Verdict, now: int) -> None:
        """Record the leases that the request takes: none that a shadow would have refused."""
        for charge in charges:
            if charge.lease_id and charge.rule.policy not in verdict.shadow_refused_by:
                self._take_lease(charge, now)

    def _take_lease(self, charge: Charge, now: int) -> None:
        if len(self._lease_expiries) >= MAX_LEASES:
            self._lease_expiries.clear()
        self._lease_expiries[charge.key, charge.lease_id] = now + charge.rule.window
        number = _hash_lease(charge.lease_id)
        self._segment.add_lease(TAKEN, now, self._number_charge(charge), number)

    def _number_charge(self, charge: Charge) -> int:
        """Return the number of a key with the rule of a charge alone."""
        known = id(charge.rule), charge.key, "", None
        number = self._numbers.get(known)
        if number is None:
            partition = get_partition(charge.key)
            key = RecordedKey(charge.rule.policy, partition, None, (charge.rule,), (charge.key,))
            number = self._add_to_table(known, key, charge.rule)
        return number

    def _make_room(self) -> None:
        if self._is_full or len(self._segment.flags) >= self._segment_rows:
            self._begin_segment()

    def _begin_segment(self) -> None:
        self._segment = Segment()
        self._segments.append(self._segment)
        self._known.clear()
        self._numbers.clear()
        self._identified.clear()
        self._state_numbers = 0
        self._is_full = False
        if len(self._segments) > SEGMENTS:
            self._begin = self._segments.popleft().times[-1]

    def _add_gap(self, prefix: str, requests: int) -> None:
        """Record a gap that ends now, and begins before the checks that may be on their way."""
        # Nothing is on its way to counts in this process, and its decisions come in their order.
        now = self._estimate_at(self._clock()) if self._margin else self._last[0]
        begin = now - self._margin
        if prefix or not self._segment.grow_gap(begin - self._margin, now, requests):
            self._make_room()
            self._segment.add_gap(begin, now, prefix, requests)

    def _estimate_at(self, local: float) -> int:
        """Return a time of `_clock` on the clock of the counts, which is not asked."""
        now, asked_at = self._last
        return now + round((local - asked_at) * MICROSECONDS)


def _hash_lease(lease_id: str) -> int:
    return int.from_bytes(blake2b(lease_id.encode(), digest_size=7).digest())
