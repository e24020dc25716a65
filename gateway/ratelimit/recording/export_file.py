"""Writes recordings as a file: JSON lines, compressed with gzip. `import_file.py` reads it.

The first line is the header, with the version of the format. Then comes a line per recording,
followed by its segments. A segment begins with the number of its rows, `{"segment":{"rows":12}}`;
each line after it has items of one of its lists, such as `{"items":{"times":[...]}}`. Keys are
hashed, as they are in Redis; the file has no token and no name of a caller.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

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

Line = Mapping[str, object]


def export_recordings(recordings: Iterable[Recording]) -> Iterator[bytes]:
    """Return the file in pieces, each of which takes about a millisecond."""
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
    rule_sets: dict[tuple[Rule, ...] | None, int] = {}
    keys = [
        [it.policy, it.partition, it.tier, rule_sets.setdefault(it.rules, len(rule_sets))]
        for it in segment.key_table
    ]
    yield {"segment": {"rows": len(segment)}}
    yield from _split("rule_sets", [_list_rules(rules) for rules in rule_sets], LINE_TEXTS)
    yield from _split("key_table", keys, LINE_TEXTS)
    yield from _split("prefixes", segment.prefixes, LINE_TEXTS)
    states = [[row, key, state.tolist()] for row, key, state in segment.states]
    yield from _split("states", states, LINE_TEXTS)
    for name in COLUMNS:
        yield from _split(name, getattr(segment, name).tolist())


def _split(name: str, items: Sequence[object], length: int = LINE_ITEMS) -> Iterator[Line]:
    for first in range(0, len(items), length):
        yield {"items": {name: items[first : first + length]}}


def _list_rules(rules: Sequence[Rule] | None) -> list[list[object]] | None:
    if rules is None:
        return None
    return [_list_fields(rule) for rule in rules]


def _list_fields(it: Rule) -> list[object]:
    fields = (it.policy, it.label, it.algorithm.value, it.quota, it.window)
    return [*fields, it.burst, it.shadow, it.prefetch]
