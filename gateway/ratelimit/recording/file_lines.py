"""The lines of a recording in a file, with the range of each value: what recorders write."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from gateway.ratelimit.recording.export_file import LINE_ITEMS, LINE_TEXTS
from gateway.ratelimit.rule import MAX_BURST, MAX_QUOTA, MICROSECONDS, Algorithm
from gateway.settings.rate import MAX_WINDOWS

MAX_LEASE_NUMBER = 2**56 - 1
MAX_STATE_NUMBERS = 100_000
"""The leases of one key. Other algorithms have states that are much smaller."""

_MAX_NUMBER = 2**53
_MAX_EPOCH = 7_258_118_400 * MICROSECONDS  # the year 2200
_MAX_WINDOW = 99_999 * 86_400 * MICROSECONDS

_Text = Annotated[str, StringConstraints(max_length=1_024)]
_Name = Annotated[str, StringConstraints(max_length=128, pattern=r"^[ -z|~]*$")]
_Partition = Annotated[str, StringConstraints(max_length=256, pattern=r"^[ -z|~]*$")]
_Prefix = Annotated[
    str,
    StringConstraints(
        max_length=512, pattern=r"^(lockgate:\{[ -z|~]*\}(:[ -9;-z|~]*:([0-9]+~?|held)?)?)?$"
    ),
]
"""Nothing, that of a partition, that of a policy and a partition, or a key."""

_Number = Annotated[int, Field(strict=True, ge=-_MAX_NUMBER, le=_MAX_NUMBER)]
_Time = Annotated[int, Field(strict=True, ge=-(2**62), le=2**62)]
_Cost = Annotated[int, Field(strict=True, ge=-MAX_LEASE_NUMBER, le=MAX_LEASE_NUMBER)]
_Count = Annotated[int, Field(strict=True, ge=0, le=2**31)]
_Natural = Annotated[int, Field(strict=True, ge=0, le=_MAX_NUMBER)]
_Flags = Annotated[int, Field(strict=True, ge=0, le=255)]
_Quota = Annotated[int, Field(strict=True, ge=1, le=2**31)]
_Window = Annotated[int, Field(strict=True, ge=1, le=_MAX_WINDOW)]
_Burst = Annotated[int, Field(strict=True, ge=0, le=MAX_BURST)]
_Prefetch = Annotated[int, Field(strict=True, ge=0, le=MAX_QUOTA)]

RuleFields = tuple[_Name, _Name, Algorithm, _Quota, _Window, _Burst, bool, _Prefetch]
KeyFields = tuple[_Name, _Partition, _Text | None, _Count]
StateFields = tuple[
    _Count,
    Annotated[str, Field(max_length=512)],
    Annotated[list[_Natural], Field(max_length=MAX_STATE_NUMBERS)],
]

_TEXTS: Any = Field([], max_length=LINE_TEXTS)
_NUMBERS: Any = Field([], max_length=LINE_ITEMS)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Header(_Strict):
    format: Literal["lockgate-recording"]
    version: int


class RecordingLine(_Strict):
    """The begin of a recording."""

    process: _Text
    counts: _Text
    begin: _Time
    end: _Time
    to_epoch: _Time

    @model_validator(mode="after")
    def _require_dates(self) -> Self:
        """Require times that can be shown as dates; `begin` is 0 before the first decision."""
        if self.begin > self.end:
            raise ValueError("begin must not be after end")
        if any(abs(it + self.to_epoch) > _MAX_EPOCH for it in (self.begin, self.end)):
            raise ValueError("begin and end must be before the year 2200")
        return self


class SegmentLine(_Strict):
    """The begin of a segment."""

    rows: _Count


class ItemsLine(_Strict):
    """Items of one list of a segment; all lines of a list but the last one are full."""

    rule_sets: list[Annotated[list[RuleFields], Field(max_length=MAX_WINDOWS)] | None] = _TEXTS
    key_table: list[KeyFields] = _TEXTS
    prefixes: list[_Prefix] = _TEXTS
    states: list[StateFields] = _TEXTS
    flags: list[_Flags] = _NUMBERS
    times: list[_Number] = _NUMBERS
    keys: list[_Count] = _NUMBERS
    costs: list[_Cost] = _NUMBERS
    values: list[_Number] = _NUMBERS

    def get_list(self) -> tuple[str, list[object], bool]:
        """Return the name of the list, its items, and whether the line is full.

        Raises:
            ValueError: the line has several lists, or no items.
        """
        if len(self.model_fields_set) != 1:
            raise ValueError("items: it must have one list")
        [name] = self.model_fields_set
        items: list[object] = getattr(self, name)
        if not items:
            raise ValueError(f"items.{name}: it must have at least one item")
        if self.states and sum(len(numbers) for _, _, numbers in self.states) >= LINE_ITEMS:
            return name, items, True
        most = LINE_TEXTS if name in _LISTS_OF_TEXTS else LINE_ITEMS
        return name, items, len(items) == most


_LISTS_OF_TEXTS = frozenset({"rule_sets", "key_table", "prefixes", "states"})


class Line(_Strict):
    """A line after the header."""

    recording: RecordingLine | None = None
    segment: SegmentLine | None = None
    items: ItemsLine | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if sum(it is not None for it in (self.recording, self.segment, self.items)) != 1:
            raise ValueError("it must have one of recording, segment and items")
        return self


def parse_header(value: dict[str, JsonValue]) -> int:
    """Return the version of the format.

    Raises:
        ValueError: it is no header of a recording.
    """
    return _Header.model_validate(value).version
