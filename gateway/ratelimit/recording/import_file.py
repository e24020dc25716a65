"""Reads recordings that `export_file.py` has written.

The file is not trusted: it comes from a user, or through Redis. It can have no more than recorders
write, and what is too much is refused before it is kept. See `file_lines.py` for the lines, and
`check_segment.py` for what must fit together.
"""

import zlib
from array import array
from collections.abc import Iterator

from pydantic import ValidationError

from gateway.auth.jwt.strict_json import parse_object
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.recording.check_segment import require_consistent, require_state
from gateway.ratelimit.recording.events import RecordedKey
from gateway.ratelimit.recording.export_file import GZIP, VERSION
from gateway.ratelimit.recording.file_lines import (
    ItemsLine,
    KeyFields,
    Line,
    RecordingLine,
    RuleFields,
    SegmentLine,
    StateFields,
    parse_header,
)
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.recording.segment import COLUMNS, MAX_SEGMENT_KEYS, SEGMENTS, Segment
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule, compute_largest_burst
from gateway.settings.rate import MAX_WINDOWS

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TEXT_BYTES = 192 * 1024 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_RECORDINGS = 1_000
MAX_NUMBERS = 24_000_000
"""The numbers in all columns and states of a file; a row has about five."""

MAX_TEXTS = 1_000_000
"""The keys, rules, states and prefixes in a file."""

MAX_TIER_CHARACTERS = 16_000_000
"""The characters of the tiers in a file, which are the values of a claim."""

_PIECE_BYTES = 256 * 1024
_PACKED_PIECE_BYTES = 16 * 1024
_MAX_DEPTH = 5
_MOST_SEGMENT_KEYS = 2 * MAX_SEGMENT_KEYS  # the last request of a segment may add several
_MAX_ROW_VALUES = MAX_WINDOWS + 1


class InvalidRecording(ValueError):
    """The file is no recording, or one that this version does not read."""


def import_recordings(file: bytes) -> list[Recording]:
    """Return the recordings of a file.

    Raises:
        InvalidRecording: the message has the line, and what is wrong with it.
    """
    if len(file) > MAX_FILE_BYTES:
        raise InvalidRecording(f"it is larger than {MAX_FILE_BYTES} bytes")
    reader = _Reader()
    number = 1
    try:
        for line in _iterate_lines(file):
            reader.read_line(line)
            number += 1
        return reader.finish()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRecording(f"line {number}: {place}: {first['msg']}") from None
    except (ValueError, OverflowError) as error:
        raise InvalidRecording(f"line {number}: {error}") from None


def _iterate_lines(file: bytes) -> Iterator[bytes]:
    """Decompress a file piece by piece, and split it into lines.

    Raises:
        ValueError: it is not compressed with gzip, or it is too large.
    """
    rest, total = b"", 0
    for piece in _decompress(file):
        total += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > MAX_LINE_BYTES or total > MAX_TEXT_BYTES:
            raise ValueError("it is too large when decompressed")
    if rest:
        raise ValueError("the file is cut off")


def _decompress(file: bytes) -> Iterator[bytes]:
    """Yield the text in pieces.

    Raises:
        ValueError: the file is not exactly one stream that is compressed with gzip.
    """
    decompressor, taken = zlib.decompressobj(wbits=GZIP), 0
    try:
        while taken < len(file) and not decompressor.eof:
            # By small pieces: the decompressor copies what it leaves of each.
            packed = file[taken : taken + _PACKED_PIECE_BYTES]
            taken += len(packed)
            while packed and not decompressor.eof:
                yield decompressor.decompress(packed, _PIECE_BYTES)
                packed = decompressor.unconsumed_tail
        yield decompressor.flush()
    except zlib.error as error:
        raise ValueError(f"it is not compressed with gzip ({error})") from None
    if not decompressor.eof:
        raise ValueError("the file is cut off")
    if decompressor.unused_data or taken < len(file):
        raise ValueError("there is data after the end of the file")


class _Reader:
    """Reads the lines one by one."""

    # Invariants:
    # - `_numbers`, `_texts` and `_tier_characters` count what the file has so far.
    # - `_rule_sets`, `_algorithms` (of each key) and `_complete` (the lists that have ended, with a
    #   line that is not full) belong to the open segment, `_segment`, which is to have `_rows`.

    def __init__(self) -> None:
        self._recordings: list[Recording] = []
        self._segments: list[Segment] = []
        self._has_header = False
        self._numbers = self._texts = self._tier_characters = 0
        self._tiers: dict[str, str] = {}
        self._segment: Segment | None = None
        self._rows = 0
        self._rule_sets: list[tuple[Rule, ...] | None] = []
        self._algorithms: dict[str, tuple[str, Algorithm]] = {}
        self._complete = set[str]()

    def read_line(self, raw: bytes) -> None:
        """Read one line.

        Raises:
            ValueError: it is invalid.
        """
        value = parse_object(raw, max_depth=_MAX_DEPTH)
        if not self._has_header:
            version = parse_header(value)
            if version != VERSION:
                raise ValueError(f"version {version} of the format; expected {VERSION}")
            self._has_header = True
            return
        line = Line.model_validate(value)
        if line.recording is not None:
            self._begin_recording(line.recording)
        elif line.segment is not None:
            self._begin_segment(line.segment)
        elif line.items is not None:
            self._read_items(line.items)

    def finish(self) -> list[Recording]:
        """Return the recordings.

        Raises:
            ValueError: the last segment is incomplete, or there is no header.
        """
        if not self._has_header:
            raise ValueError("there is no header")
        self._end_segment()
        return self._recordings

    def _begin_recording(self, line: RecordingLine) -> None:
        self._end_segment()
        if len(self._recordings) >= MAX_RECORDINGS:
            raise ValueError(f"there are more than {MAX_RECORDINGS} recordings")
        self._segments = []
        self._recordings.append(Recording(**line.model_dump(), segments=self._segments))

    def _begin_segment(self, line: SegmentLine) -> None:
        self._end_segment()
        if not self._recordings:
            raise ValueError("a segment comes before any recording")
        if len(self._segments) >= SEGMENTS:
            raise ValueError(f"a recording has more than {SEGMENTS} segments")
        self._count_numbers((len(COLUMNS) - 1) * line.rows)
        self._segment, self._rows = Segment(), line.rows
        self._rule_sets, self._algorithms, self._complete = [], {}, set()

    def _read_items(self, line: ItemsLine) -> None:
        segment = self._segment
        if segment is None:
            raise ValueError("there is no segment to which the items belong")
        name, items, is_full = line.get_list()
        if name in self._complete:
            raise ValueError(f"{name} goes on after a line that was not full")
        if not is_full:
            self._complete.add(name)
        match name:
            case "rule_sets":
                self._add_rule_sets(line.rule_sets)
            case "key_table":
                self._add_keys(segment, line.key_table)
            case "states":
                self._add_states(segment, line.states)
            case _:
                self._extend_list(segment, name, items)

    def _extend_list(self, segment: Segment, name: str, items: list[object]) -> None:
        """Add the items to a list that is kept as it is."""
        if name == "prefixes":
            self._count_texts(len(items))
        elif name == "values":
            self._count_numbers(len(items))
        extended = getattr(segment, name)
        extended.extend(items)
        most = self._rows * _MAX_ROW_VALUES if name == "values" else self._rows
        self._require_fit(name, len(extended), most)

    def _add_rule_sets(self, rule_sets: list[list[RuleFields] | None]) -> None:
        self._require_fit("rule_sets", len(self._rule_sets) + len(rule_sets), _MOST_SEGMENT_KEYS)
        self._count_texts(sum(len(listed or ()) for listed in rule_sets))
        for listed in rule_sets:
            self._rule_sets.append(None if listed is None else tuple(map(_make_rule, listed)))

    def _add_keys(self, segment: Segment, table: list[KeyFields]) -> None:
        self._require_fit("key_table", len(segment.key_table) + len(table), _MOST_SEGMENT_KEYS)
        for policy, partition, tier, number in table:
            if number >= len(self._rule_sets):
                raise ValueError(f"there are no rules with the number {number}")
            rules = self._rule_sets[number]
            self._count_texts(1 + len(rules or ()))
            keys = tuple(self._make_key(rule, partition) for rule in rules or ())
            known_tier = None if tier is None else self._share_tier(tier)
            segment.key_table.append(RecordedKey(policy, partition, known_tier, rules, keys))

    def _make_key(self, rule: Rule, partition: str) -> str:
        key = make_key(rule, partition)
        shared, _ = self._algorithms.setdefault(key, (key, rule.algorithm))
        return shared

    def _share_tier(self, tier: str) -> str:
        """Return the one text of a tier."""
        if tier not in self._tiers:
            self._tier_characters += len(tier)
            if self._tier_characters > MAX_TIER_CHARACTERS:
                raise ValueError(f"its tiers have more than {MAX_TIER_CHARACTERS} characters")
        return self._tiers.setdefault(tier, tier)

    def _add_states(self, segment: Segment, states: list[StateFields]) -> None:
        self._count_texts(len(states))
        self._count_numbers(sum(len(state) for _, _, state in states))
        for row, name, state in states:
            if name not in self._algorithms:
                raise ValueError(f"a state is of {name:.100}, which is no key of the segment")
            key, algorithm = self._algorithms[name]
            require_state(algorithm, state)
            self._require_fit("states: the row", row + 1, self._rows)
            segment.states.append((row, key, array("q", state)))

    def _end_segment(self) -> None:
        if self._segment is not None:
            require_consistent(self._segment, self._rows)
            self._segments.append(self._segment)
            self._segment = None

    def _count_numbers(self, count: int) -> None:
        self._numbers += count
        if self._numbers > MAX_NUMBERS:
            raise ValueError(
                f"it has more than {MAX_NUMBERS} numbers; lower ops.recording_rows to record less"
            )

    def _count_texts(self, count: int) -> None:
        self._texts += count
        if self._texts > MAX_TEXTS:
            raise ValueError(
                f"it has more than {MAX_TEXTS} keys, rules, states and prefixes; lower "
                "ops.recording_rows to record less"
            )

    @staticmethod
    def _require_fit(name: str, count: int, most: int) -> None:
        if count > most:
            raise ValueError(f"{name}: a segment with more than {most} of them")


def _make_rule(line: RuleFields) -> Rule:
    """Return a rule as a policy or an override makes it.

    Raises:
        ValueError: no policy has such a rule.
    """
    policy, label, algorithm, quota, window, burst, shadow, prefetch = line
    if (burst > 0) != (algorithm is Algorithm.GCRA):
        raise ValueError(f"rule {label}: a burst of {burst} does not belong to {algorithm.value}")
    if window % MICROSECONDS:
        raise ValueError(f"rule {label}: a window of {window} us is no whole number of seconds")
    if burst > compute_largest_burst(window):
        raise ValueError(f"rule {label}: a burst of {burst} is too large for its window")
    return Rule(policy, label, algorithm, quota, window, burst, shadow, prefetch=prefetch)
