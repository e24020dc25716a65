"""No file costs much memory or time, and none raises anything but its own errors."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.import_file import InvalidRecording, import_recordings
from gateway.ratelimit.simulation.plan_deployment import plan
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from tests.gateway.ratelimit.recording.test_export_file import pack, record, unpack

CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from gateway.ratelimit.recording.import_file import InvalidRecording, import_recordings
try:
    import_recordings(sys.stdin.buffer.read())
except InvalidRecording as error:
    print(error)
"""

HEAD = [
    b'{"format":"lockgate-recording","version":1}',
    b'{"recording":{"process":"p","counts":"redis","begin":0,"end":9,"to_epoch":0}}',
]
SEGMENT = [*HEAD, b'{"segment":{"rows":0}}']
RULE = b'["a","a","sliding_window",1,1000000,0,false,0]'


def join(items: bytes, count: int) -> bytes:
    """Return a JSON list of so many items."""
    return b"[" + b",".join([items] * count) + b"]"


def fill(name: bytes, items: bytes, count: int = 100, lines: int = 100) -> list[bytes]:
    """Return lines with items of one list."""
    return [b'{"items":{"' + name + b'":' + join(items, count) + b"}}"] * lines


HOSTILE = {
    "rules": ([*SEGMENT, *fill(b"rule_sets", join(RULE, 60_000), 1, 1)], "at most 5 items"),
    "sets": ([*SEGMENT, *fill(b"rule_sets", join(RULE, 5))], "rule_sets: a segment with more"),
    "keys": (
        [*SEGMENT, *fill(b"rule_sets", b"null", 1, 1), *fill(b"key_table", b'["a","a",null,0]')],
        "key_table: a segment with more than 8192",
    ),
    "prefixes": ([*SEGMENT, *fill(b"prefixes", b'""')], "prefixes: a segment with more than 0"),
    "states": ([*SEGMENT, *fill(b"states", b'[0,"",[]]')], "which is no key of the segment"),
    "flags": ([*SEGMENT, *fill(b"flags", b"1", 1_000)], "flags: a segment with more than 0"),
    "values": ([*SEGMENT, *fill(b"values", b"1", 1_000)], "values: a segment with more than 0"),
    "rows": ([*HEAD, b'{"segment":{"rows":2000000000}}'], "it has more than 24000000 numbers"),
    "recordings": ([*HEAD, *HEAD[1:] * 5_000], "more than 1000 recordings"),
    "segments": ([*HEAD, *SEGMENT[2:] * 5_000], "more than 16 segments"),
    "empty lines": ([*HEAD, *[b"{}"] * 1_000_000], "must have one of recording, segment and items"),
    "empty text": ([*HEAD, *[b""] * 1_000_000], "line 3: "),
}


@pytest.mark.parametrize(("lines", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_no_recorder_writes_is_refused_while_it_is_read(
    lines: list[bytes], message: str
) -> None:
    with pytest.raises(InvalidRecording, match=message):
        import_recordings(pack(lines))


def test_the_largest_texts_fit_in_bounded_memory() -> None:
    """Keys as long and as many as they may be; the process has 1 GiB of addresses."""
    file = gzip.compress(b"".join(line + b"\n" for line in iterate_keys()), compresslevel=1)
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=file, capture_output=True, check=True
    )
    assert b"it has more than 1000000 keys, rules, states and prefixes" in child.stdout


def iterate_keys() -> Iterator[bytes]:
    """Yield segments of keys with five rules each, without any row."""
    windows = (1, 10, 60, 3_600, 86_400)
    rules = [["p", "p" * 128, "sliding_window", 9, it * 10**6, 0, False, 0] for it in windows]
    yield HEAD[0]
    for first in range(0, 200_000, 8_000):
        if first % 128_000 == 0:
            yield HEAD[1]
        yield SEGMENT[2]
        yield json.dumps({"items": {"rule_sets": [rules]}}).encode()
        for begin in range(first, first + 8_000, 100):
            keys = [["p", f"user:{it:0200}", f"{it}", 0] for it in range(begin, begin + 100)]
            yield json.dumps({"items": {"key_table": keys}}).encode()


numbers: st.SearchStrategy[Any] = st.integers(-(2**63), 2**63) | st.integers(-2, 12)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
GOOD = unpack(b"".join(export_recordings(record())))


def list_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a document with each of its indexes."""
    for index in value if isinstance(value, dict) else range(len(value)):
        yield value, index
        if isinstance(value[index], dict | list):
            yield from list_places(value[index])


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_changed_file_is_replayed_or_refused(data: st.DataObject) -> None:
    lines = json.loads(json.dumps(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        container, index = data.draw(st.sampled_from(list(list_places(lines))))
        container[index] = data.draw(numbers | values)
    with suppress(InvalidRecording, CannotSimulate):
        plan(import_recordings(pack(lines)), {}, 0)
