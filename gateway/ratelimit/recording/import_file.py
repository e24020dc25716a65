"""Reads recordings that `export_file.py` has written. The file is not trusted; all is bounded."""

import zlib
from array import array
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from gateway.auth.jwt.strict_json import parse_object
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.recording.events import RecordedKey
from gateway.ratelimit.recording.export_file import GZIP, VERSION
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.recording.segment import (
    COLUMNS,
    COUNTED,
    GAP,
    GRANTED,
    MORE,
    VALUES,
    Segment,
)
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TEXT_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_RECORDINGS = 1_000
MAX_SEGMENTS = 100_000
_PIECE_BYTES = 256 * 1024
_MAX_DEPTH = 5
_MAX_NUMBER = 2**62
_MAX_EPOCH = 7_258_118_400 * MICROSECONDS  # the year 2200

_Text = Annotated[str, StringConstraints(max_length=1_024)]
_Number = Annotated[int, Field(strict=True, ge=-_MAX_NUMBER, le=_MAX_NUMBER)]
_Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
_Positive = Annotated[int, Field(strict=True, ge=1, le=2**53)]
_RuleFields = tuple[_Text, _Text, Algorithm, _Positive, _Positive, _Count, bool, _Count]
_Key = tuple[_Text, _Text, _Text | None, _Count]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Header(_Strict):
    format: Literal["lockgate-recording"]
    version: int


class _RecordingLine(_Strict):
    process: _Text
    counts: _Text
    begin: _Number
    end: _Number
    to_epoch: _Number

    @model_validator(mode="after")
    def _require_dates(self) -> Self:
        """Require times that can be shown as dates; `begin` is 0 before the first decision."""
        if self.begin > self.end:
            raise ValueError("begin must not be after end")
        if any(abs(it + self.to_epoch) > _MAX_EPOCH for it in (self.begin, self.end)):
            raise ValueError("begin and end must be before the year 2200")
        return self


class _SegmentLine(_Strict):
    rows: _Count


class _ItemsLine(_Strict):
    """Items of the lists of a segment."""

    rule_sets: list[list[_RuleFields] | None] = []
    key_table: list[_Key] = []
    prefixes: list[_Text] = []
    states: list[tuple[_Count, _Text, list[_Number]]] = []
    flags: list[Annotated[int, Field(strict=True, ge=0, le=255)]] = []
    times: list[_Number] = []
    keys: list[_Count] = []
    costs: list[_Number] = []
    values: list[_Number] = []


class _Line(_Strict):
    recording: _RecordingLine | None = None
    segment: _SegmentLine | None = None
    items: _ItemsLine | None = None


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
    decompressor, rest, total, packed = zlib.decompressobj(wbits=GZIP), b"", 0, file
    while packed and not decompressor.eof:
        try:
            piece = decompressor.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            raise ValueError(f"it is not compressed with gzip ({error})") from None
        packed = decompressor.unconsumed_tail
        total += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > MAX_LINE_BYTES or total > MAX_TEXT_BYTES:
            raise ValueError("it is too large when decompressed")
    if not decompressor.eof or rest:
        raise ValueError("the file is cut off")
    if decompressor.unused_data:
        raise ValueError("there is data after the end of the file")


class _Reader:
    """Reads the lines one by one."""

    def __init__(self) -> None:
        self._recordings: list[Recording] = []
        self._segments: list[Segment] = []
        self._segment: Segment | None = None
        self._rows = self._count = 0
        self._rule_sets: list[tuple[Rule, ...] | None] = []
        self._has_header = False

    def read_line(self, raw: bytes) -> None:
        """Read one line.

        Raises:
            ValueError: it is invalid.
        """
        value = parse_object(raw, max_depth=_MAX_DEPTH)
        if not self._has_header:
            header = _Header.model_validate(value)
            if header.version != VERSION:
                raise ValueError(f"version {header.version} of the format; expected {VERSION}")
            self._has_header = True
            return
        line = _Line.model_validate(value)
        if line.recording is not None:
            self._begin_recording(line.recording)
        if line.segment is not None:
            self._begin_segment(line.segment)
        if line.items is not None:
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

    def _begin_recording(self, line: _RecordingLine) -> None:
        self._end_segment()
        if len(self._recordings) >= MAX_RECORDINGS:
            raise ValueError(f"there are more than {MAX_RECORDINGS} recordings")
        self._segments = []
        self._recordings.append(Recording(**line.model_dump(), segments=self._segments))

    def _begin_segment(self, line: _SegmentLine) -> None:
        self._end_segment()
        if not self._recordings:
            raise ValueError("a segment comes before any recording")
        self._count += 1
        if self._count > MAX_SEGMENTS:
            raise ValueError(f"there are more than {MAX_SEGMENTS} segments")
        self._segment, self._rows, self._rule_sets = Segment(), line.rows, []

    def _read_items(self, line: _ItemsLine) -> None:
        segment = self._segment
        if segment is None:
            raise ValueError("there is no segment to which the items belong")
        for name in COLUMNS:
            getattr(segment, name).extend(getattr(line, name))
        segment.prefixes += line.prefixes
        segment.states += [(row, key, array("q", state)) for row, key, state in line.states]
        for listed in line.rule_sets:
            self._rule_sets.append(None if listed is None else tuple(map(_make_rule, listed)))
        for policy, partition, tier, number in line.key_table:
            if number >= len(self._rule_sets):
                raise ValueError(f"there are no rules with the number {number}")
            rules = self._rule_sets[number]
            keys = tuple(make_key(rule, partition) for rule in rules or ())
            segment.key_table.append(RecordedKey(policy, partition, tier, rules, keys))

    def _end_segment(self) -> None:
        if self._segment is not None:
            _require_consistent(self._segment, self._rows)
            self._segments.append(self._segment)
            self._segment = None


def _make_rule(line: _RuleFields) -> Rule:
    policy, label, algorithm, quota, window, burst, shadow, prefetch = line
    if (burst > 0) != (algorithm is Algorithm.GCRA):
        raise ValueError(f"rule {label}: a burst of {burst} does not belong to {algorithm.value}")
    return Rule(policy, label, algorithm, quota, window, burst, shadow, prefetch=prefetch)


def _require_consistent(segment: Segment, rows: int) -> None:
    """Check that the columns belong together.

    Raises:
        ValueError: they do not.
    """
    lengths = {
        len(column) for column in (segment.flags, segment.times, segment.keys, segment.costs)
    }
    if lengths != {rows}:
        raise ValueError(f"the segment before has columns of {lengths} rows; expected {rows}")
    values = sum(_check_row(segment, *row) for row in zip(segment.flags, segment.keys, strict=True))
    _require(values == len(segment.values), f"it has {len(segment.values)} values, not {values}")
    _require(
        not segment.flags or segment.flags[-1] >= GAP or not segment.flags[-1] & MORE,
        "the last request is cut off",
    )
    state_rows = [row for row, _, _ in segment.states]
    _require(state_rows == sorted(state_rows), "the states are in no order")


def _check_row(segment: Segment, flags: int, key: int) -> int:
    """Return the number of values of a row.

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


def _require(is_true: bool, fault: str) -> None:
    if not is_true:
        raise ValueError(f"the segment before is inconsistent: {fault}")
