"""Writes recordings as a file: JSON lines, compressed with gzip. `import_file.py` reads it.

The first line is the header, with the version of the format. Then comes a line per recording,
followed by its segments. A segment begins with the number of its rows, `{"segment":{"rows":12}}`;
each line after it has items of one of its lists, such as `{"items":{"times":[...]}}`. Keys are
hashed, as they are in Redis; the file has no token and no name of a caller.
"""

import json
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from gateway.ratelimit.recording.events import RecordedKey
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.recording.segment import COLUMNS, Segment
from gateway.ratelimit.rule import Rule

FORMAT, VERSION = "lockgate-recording", 1
GZIP = 31
"""The `wbits` of zlib that mean gzip."""

LINE_ITEMS = 1_000
LINE_TEXTS = 100
"""How many items with texts are in a line: they are longer than numbers.

All lines of a list but the last one have as many.
"""

_Item = TypeVar("_Item")

Line = Mapping[str, object]


def export_recordings(recordings: Iterable[Recording]) -> Iterator[bytes]:
    """Return the file in pieces, each of which takes about a millisecond.

    The items of a line are made for that line: thousands of lists at one time would start the
    garbage collector, which takes much longer than a piece.
    """
    compressor = zlib.compressobj(level=6, wbits=GZIP)
    for line in _make_lines(recordings):
        text = json.dumps(line, separators=(",", ":"))
        yield compressor.compress(text.encode() + b"\n")
    yield compressor.flush()


def _make_lines(recordings: Iterable[Recording]) -> Iterator[Line]:
    yield {"format": FORMAT, "version": VERSION}
    for it in recordings:
        yield {
            "recording": {
                "process": it.process,
                "counts": it.counts,
                "begin": it.begin,
                "end": it.end,
                "to_epoch": it.to_epoch,
            }
        }
        for segment in it.segments:
            yield from _make_segment_lines(segment)


def _make_segment_lines(segment: Segment) -> Iterator[Line]:
    rule_sets = {id(it.rules): it.rules for it in segment.key_table}
    numbers = {identity: number for number, identity in enumerate(rule_sets)}

    def list_key(it: RecordedKey) -> list[object]:
        return [it.policy, it.partition, it.tier, numbers[id(it.rules)]]

    yield {"segment": {"rows": len(segment)}}
    yield from _split("rule_sets", [*rule_sets.values()], _list_rules)
    yield from _split("key_table", segment.key_table, list_key)
    yield from _split("prefixes", segment.prefixes, str)
    yield from _split_states(segment)
    for name in COLUMNS:
        column: array[int] = getattr(segment, name)
        for first in range(0, len(column), LINE_ITEMS):
            yield {"items": {name: column[first : first + LINE_ITEMS].tolist()}}


def _split(name: str, items: Sequence[_Item], make: Callable[[_Item], object]) -> Iterator[Line]:
    for first in range(0, len(items), LINE_TEXTS):
        yield {"items": {name: [make(it) for it in items[first : first + LINE_TEXTS]]}}


def _split_states(segment: Segment) -> Iterator[Line]:
    """Yield the states, a line for so many that it has about `LINE_ITEMS` numbers."""
    line, numbers = list[list[object]](), 0
    for row, key, state in segment.states:
        line.append([row, key, state.tolist()])
        numbers += len(state)
        if numbers >= LINE_ITEMS or len(line) >= LINE_TEXTS:
            yield {"items": {"states": line}}
            line, numbers = [], 0
    if line:
        yield {"items": {"states": line}}


def _list_rules(rules: Sequence[Rule] | None) -> list[list[object]] | None:
    if rules is None:
        return None
    return [_list_fields(rule) for rule in rules]


def _list_fields(it: Rule) -> list[object]:
    fields = (it.policy, it.label, it.algorithm.value, it.quota, it.window)
    return [*fields, it.burst, it.shadow, it.prefetch]
