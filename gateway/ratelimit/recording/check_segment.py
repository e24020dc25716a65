"""Checks that the columns of a segment from a file belong together, as a recorder writes them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress

from gateway.ratelimit.algorithms.sliding_window import BUCKETS
from gateway.ratelimit.policy_checks import MAX_COST
from gateway.ratelimit.recording.file_lines import MAX_LEASE_NUMBER, MAX_STATE_NUMBERS
from gateway.ratelimit.recording.segment import (
    COUNTED,
    GAP,
    GRANTED,
    MORE,
    SETTLEMENT,
    TAKEN,
    VALUES,
    Segment,
)
from gateway.ratelimit.rule import Algorithm

_MOST_STATE_NUMBERS = {
    Algorithm.SLIDING_WINDOW: 16 * BUCKETS,
    Algorithm.GCRA: 3,
    Algorithm.CONCURRENCY: MAX_STATE_NUMBERS,
}
"""A sliding window has two numbers per bucket. After an outage it has those of two states."""


def require_state(algorithm: Algorithm, state: Sequence[int]) -> None:
    """Check the size of a state.

    Raises:
        ValueError: no key of the algorithm has such a state.
    """
    most = _MOST_STATE_NUMBERS[algorithm]
    if len(state) > most:
        raise ValueError(f"a state has {len(state)} numbers; {algorithm.value} has at most {most}")


def require_consistent(segment: Segment, rows: int) -> None:
    """Check that the columns belong together.

    Raises:
        ValueError: they do not.
    """
    lengths = {
        len(column) for column in (segment.flags, segment.times, segment.keys, segment.costs)
    }
    if lengths != {rows}:
        raise ValueError(f"the segment before has columns of {lengths} rows; expected {rows}")
    kinds = Counter(zip(segment.flags, segment.keys, strict=True))
    values = sum(count * _check_kind(segment, *kind) for kind, count in kinds.items())
    _require(values == len(segment.values), f"it has {len(segment.values)} values, not {values}")
    _require_costs(segment)
    _require(
        not segment.flags or segment.flags[-1] >= GAP or not segment.flags[-1] & MORE,
        "the last request is cut off",
    )
    state_rows = [row for row, _, _ in segment.states]
    _require(state_rows == sorted(state_rows), "the states are in no order")


def _check_kind(segment: Segment, flags: int, key: int) -> int:
    """Return the number of values of a row with these flags and this key.

    Raises:
        ValueError: its kind or its key is unknown.
    """
    if flags == GAP:
        _require(key < len(segment.prefixes), "a gap has no prefix")
        return VALUES[GAP]
    _require(key < len(segment.key_table), f"there is no key with the number {key}")
    rules = segment.key_table[key].rules or ()
    if flags < GAP:
        counted = len(rules) if flags & COUNTED else 0
        return counted + bool(flags & GRANTED)
    _require(flags in VALUES and len(rules) == 1, f"a row has the kind {flags}")
    return VALUES[flags]


def _require_costs(segment: Segment) -> None:
    """Check the range of the costs: of decisions, settlements and leases."""
    flags = segment.flags.tobytes()
    for kind, chosen, least, most in _COSTS:
        costs: Iterable[int] = compress(segment.costs, flags.translate(chosen))
        wrong = next((it for it in costs if not least <= it <= most), None)
        _require(wrong is None, f"a {kind} has the number {wrong}")


def _mark(first: int, end: int) -> bytes:
    """Return a table that maps the flags from `first` until `end` to 1, and all others to 0."""
    return bytes(first <= flags < end for flags in range(256))


_COSTS = (
    ("decision", _mark(0, GAP), 0, MAX_COST),
    ("settlement", _mark(SETTLEMENT, SETTLEMENT + 1), -MAX_COST, MAX_COST),
    ("lease", _mark(TAKEN, 256), 0, MAX_LEASE_NUMBER),
)


def _require(is_true: bool, fault: str) -> None:
    if not is_true:
        raise ValueError(f"the segment before is inconsistent: {fault}")
