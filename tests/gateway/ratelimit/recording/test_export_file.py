"""Recordings go through a file: what is read is what was written, and a bad file is refused."""

import asyncio
import gc
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.ratelimit.recording import import_file
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.import_file import InvalidRecording, import_recordings
from gateway.ratelimit.recording.recording import Recording
from tests.gateway.ratelimit.recording.traffic import (
    Request,
    Step,
    record_in_memory,
    step_lists,
)

Line = dict[str, Any]


def record(*, count: int = 5) -> list[Recording]:
    """Return the recordings of some requests."""
    traffic = record_in_memory()
    demands = (("exact", "user:a", "pro", 1), ("windows", "user:b", None, 1))
    asyncio.run(traffic.run([Request(1, 0, demands) for _ in range(count)]))
    return traffic.snapshots()


def pack(lines: list[Line] | list[bytes]) -> bytes:
    """Return a file with these lines."""
    raw = [it if isinstance(it, bytes) else json.dumps(it).encode() for it in lines]
    return gzip.compress(b"".join(line + b"\n" for line in raw))


def unpack(file: bytes) -> list[Line]:
    return [json.loads(line) for line in gzip.decompress(file).splitlines()]


@settings(deadline=None, max_examples=50)
@given(steps=step_lists)
def test_what_is_read_is_what_was_written(steps: list[Step]) -> None:
    traffic = record_in_memory(rows=48)
    asyncio.run(traffic.run(steps))
    recordings = traffic.snapshots()
    read = import_recordings(b"".join(export_recordings(recordings)))
    for written, it in zip(recordings, read, strict=True):
        assert (it.process, it.counts, it.begin, it.end, it.to_epoch) == (
            written.process,
            written.counts,
            written.begin,
            written.end,
            written.to_epoch,
        )
        assert list(it.iterate()) == list(written.iterate())


def test_large_columns_are_written_in_pieces() -> None:
    recordings = record(count=3_000)
    pieces = list(export_recordings(recordings))
    assert len(pieces) > 20
    assert max(len(json.dumps(line)) for line in unpack(b"".join(pieces))) < 40_000


def test_many_keys_are_written_in_short_lines_that_start_no_collection() -> None:
    traffic = record_in_memory(rows=48_000)
    users = [(("exact", f"user:{it}", "pro", 1),) for it in range(3_000)]
    asyncio.run(traffic.run([Request(1, 0, demands) for demands in users]))
    recordings = traffic.snapshots()
    collected = list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            collected.append(info["generation"])

    gc.collect()
    gc.callbacks.append(note)
    try:
        size = sum(map(len, export_recordings(recordings)))
    finally:
        gc.callbacks.remove(note)
    assert size > 10_000
    assert not collected, "a collection holds the event loop for longer than any line"
    lines = unpack(b"".join(export_recordings(recordings)))
    assert sum(len(it["items"]["key_table"]) for it in lines if "key_table" in str(it)) == 3_000
    assert max(len(json.dumps(line)) for line in lines) < 40_000


def change(place: str, value: object) -> Callable[[list[Line]], None]:
    """Return what sets a member of the last line that has it."""

    def apply(lines: list[Line]) -> None:
        name, _, member = place.partition(".")
        [*_, line] = [line[name] for line in lines if name in line and member in line[name]]
        line[member] = value

    return apply


def add(items: Line) -> Callable[[list[Line]], None]:
    """Return what adds a line of items."""
    return lambda lines: lines.append({"items": items})


KEY = "lockgate:{user:a}:exact:10"
RULE = ["exact", "exact", "sliding_window", 3, 10_000_000, 0, False, 0]
BAD_LINES: dict[str, tuple[Callable[[list[Line]], object], str]] = {
    "version": (lambda lines: lines[0].update(version=2), "version 2 of the format; expected 1"),
    "header": (lambda lines: lines.pop(0), "line 1: format: Field required"),
    "unknown": (lambda lines: lines[1].update(more=1), "line 2: more: Extra inputs are not"),
    "text": (change("recording.begin", "1"), "recording.begin: Input should be a valid integer"),
    "large": (change("recording.begin", 2**63), "recording.begin: Input should be less"),
    "late": (change("recording.to_epoch", 2**62), "recording: .* before the year 2200"),
    "early": (change("recording.to_epoch", -(2**62)), "recording: .* before the year 2200"),
    "last": (change("recording.end", 2**62), "recording: .* before the year 2200"),
    "backwards": (change("recording.begin", 2**62), "begin must not be after end"),
    "rows": (change("segment.rows", 3), "line 7: flags: a segment with more than 3 of them"),
    "fewer rows": (change("segment.rows", 11), r"columns of \{10\} rows; expected 11"),
    "values": (change("items.values", [1]), "it has 1 values, not 15"),
    "key": (change("items.keys", [9] * 10), "there is no key with the number 9"),
    "kind": (change("items.flags", [255] * 10), "a row has the kind 255"),
    "cut": (change("items.flags", [7] * 10), "the last request is cut off"),
    "rules": (change("items.key_table", [["a", "b", None, 7]]), "no rules with the number 7"),
    "states": (change("items.states", [[5, KEY, []], [1, KEY, []]]), "the states are in no order"),
    "state of no key": (
        change("items.states", [[5, "a", []]]),
        "of a, which is no key",
    ),
    "state of no row": (change("items.states", [[10, KEY, []]]), "states: the row: a segment with"),
    "large state": (change("items.states", [[0, KEY, [1] * 961]]), "at most 960"),
    "negative state": (change("items.states", [[0, KEY, [-1]]]), "states.0.2.0: Input should be"),
    "values beyond": (change("items.values", [0] * 61), "values: a segment with more than 60"),
    "prefix": (add({"prefixes": ["a"]}), "prefixes.0: String should match"),
    "cost": (change("items.costs", [10**9] * 10), "a decision has the number 1000000000"),
    "negative cost": (change("items.costs", [-1] * 10), "a decision has the number -1"),
    "empty": (lambda lines: lines.append({}), "must have one of recording, segment and items"),
    "no items": (add({}), "it must have one list"),
    "two lists": (add({"flags": [1], "keys": [1]}), "it must have one list"),
    "empty list": (add({"flags": []}), "items.flags: it must have at least one item"),
    "long list": (add({"flags": [1] * 1001}), "flags: List should have at most 1000"),
    "short lines": (
        lambda lines: lines.insert(-1, lines[-2]),
        "costs goes on after a line that was not full",
    ),
    "many rules": (
        change("items.rule_sets", [[RULE] * 6]),
        "rule_sets.0: List should have at most 5",
    ),
    "many segments": (
        lambda lines: lines.extend([{"segment": {"rows": 0}}] * 16),
        "more than 16 segments",
    ),
    "quota": (
        change("items.rule_sets", [[["a", "a", "gcra", 2**31 + 1, 10**6, 1, False, 0]]]),
        "rule_sets.0.0.3: Input should be less than or equal to 2147483648",
    ),
    "window": (
        change("items.rule_sets", [[["a", "a", "gcra", 1, 1, 1, False, 0]]]),
        "a window of 1 us is no whole number of seconds",
    ),
    "long window": (
        change("items.rule_sets", [[["a", "a", "gcra", 1, 10**16, 1, False, 0]]]),
        "rule_sets.0.0.4: Input should be less than or equal to",
    ),
    "large burst": (
        change("items.rule_sets", [[["a", "a", "gcra", 1, 10**14, 999, False, 0]]]),
        "a burst of 999 is too large for its window",
    ),
    "burst": (
        change("items.rule_sets", [[["a", "a", "gcra", 1, 1, 0, False, 0]]]),
        "a burst of 0 does not belong to gcra",
    ),
    "algorithm": (
        change("items.rule_sets", [[["a", "a", "none", 1, 1, 0, False, 0]]]),
        "Input should be 'sliding_window'",
    ),
    "order": (lambda lines: lines.insert(1, {"items": {}}), "line 2: there is no segment to which"),
    "first": (lambda lines: lines.insert(1, {"segment": {"rows": 0}}), "a segment comes before"),
}


@pytest.mark.parametrize(("edit", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_file_is_refused_with_the_line(
    edit: Callable[[list[Line]], object], message: str
) -> None:
    lines = unpack(b"".join(export_recordings(record()[:1])))
    edit(lines)
    with pytest.raises(InvalidRecording, match=message):
        import_recordings(pack(lines))


GOOD = b"".join(export_recordings([]))
BAD_BYTES = {
    "empty": (b"", "line 1: the file is cut off"),
    "text": (b"no gzip", "it is not compressed with gzip"),
    "cut": (GOOD[:-9], "the file is cut off"),
    "trailing": (GOOD + b"more", "there is data after the end"),
    "no line end": (gzip.compress(b"{}"), "the file is cut off"),
    "no header": (gzip.compress(b""), "there is no header"),
    "no json": (pack([b"{"]), "line 1: "),
    "duplicate": (pack([b'{"version":1,"version":1}']), "line 1: duplicate member name"),
    "deep": (pack([b'{"items":' + b"[" * 100_000]), "line 1: nested too deep"),
}


@pytest.mark.parametrize(("file", "message"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_bad_bytes_are_refused(file: bytes, message: str) -> None:
    with pytest.raises(InvalidRecording, match=message):
        import_recordings(file)


def test_a_file_that_grows_when_it_is_decompressed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compressor = zlib.compressobj(wbits=31)
    bomb = b"".join(compressor.compress(b" " * 2**20) for _ in range(20)) + compressor.flush()
    with pytest.raises(InvalidRecording, match="it is too large when decompressed"):
        import_recordings(bomb)
    monkeypatch.setattr(import_file, "MAX_FILE_BYTES", 10)
    with pytest.raises(InvalidRecording, match="it is larger than 10 bytes"):
        import_recordings(GOOD)
