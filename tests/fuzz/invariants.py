"""What must hold for any bytes a service may send, however they are cut up."""

import re
from itertools import pairwise

from gateway.transport.fast_response import parse_simple_response
from gateway.transport.response_parser import select_headers
from tests.fuzz.reading import parsed
from tests.fuzz.reference import Reading, read
from tests.fuzz.rival import rival

# h11 bounds a number by 20 digits, we by its value; and it reads a coding in a trailer, where
# RFC 9110 (6.5.1) allows none and nobody acts on it.
_TOLD_APART = re.compile(rb"[0-9A-Fa-f]{21}|(?is:transfer-encoding:.*transfer-encoding:)")

# No reply tells of these, so a glance does not.
_UNTOLD = {b"connection", b"content-length", b"transfer-encoding"}


class Broken(AssertionError):
    """An invariant does not hold."""


def check(data: bytes, cuts: list[int], *, bodiless: bool) -> None:
    """Read `data` whole, cut at `cuts`, and byte by byte, and compare with both other readers.

    Raises:
        Broken: they differ in what they must agree on.
    """
    whole = parsed([data] if data else [], bodiless=bodiless)
    for pieces in (cut(data, cuts), [data[i : i + 1] for i in range(len(data))]):
        _same(whole, parsed(pieces, bodiless=bodiless))
    _believed(whole, read(data, bodiless=bodiless))
    if not bodiless:
        _glanced(whole, data)
    _seconded(whole, rival(data, bodiless=bodiless), data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    bounds = sorted({0, len(data), *(place % len(data) for place in places if data)})
    return [data[start:end] for start, end in pairwise(bounds)]


def _same(one: Reading, other: Reading) -> None:
    """The cut does not matter."""
    if one.state != other.state:
        raise Broken(f"{one.state} at once, {other.state} in pieces")
    if one.state == "whole" and one != other:
        raise Broken(f"{one} at once, {other} in pieces")


def _believed(ours: Reading, expected: Reading) -> None:
    """What ours accepts, the reference accepts, and as the same."""
    if ours.state == "none":
        return
    if ours.status and ours.status != expected.status:
        raise Broken(f"a head that is none, or another: {ours}, {expected}")
    if ours.status and (ours.version, ours.fields) != (expected.version, expected.fields):
        raise Broken(f"another head: {ours}, {expected}")
    if not expected.body.startswith(ours.body):
        raise Broken(f"another body: {ours.body!r}, {expected.body!r}")
    if ours.state == "whole" and (expected.state != "whole" or ours != expected):
        raise Broken(f"{ours}, but {expected}")
    if ours.state == "part" and expected.state == "whole":
        raise Broken(f"ours waits for more than {expected}")


def _glanced(ours: Reading, data: bytes) -> None:
    """What is taken at one glance, the parser takes too, and as the same."""
    seen = parse_simple_response(data)
    if seen is None:
        return
    told = {
        name: value for name, value in select_headers(ours.fields).items() if name not in _UNTOLD
    }
    expected = (ours.status, told, ours.body, ours.state, ours.keeps_alive)
    if (seen.status, seen.selected, seen.body, "whole", True) != expected:
        raise Broken(f"{seen} at one glance, but {ours}")
    if seen.headers.raw != ours.fields:
        raise Broken(f"{seen.headers.raw} at one glance, but {ours.fields}")


def _seconded(ours: Reading, theirs: Reading, data: bytes) -> None:
    """What ours accepts, h11 accepts with the same status and body."""
    if ours.state != "whole" or _TOLD_APART.search(data):
        return
    if theirs.state != "whole" or (ours.status, ours.body) != (theirs.status, theirs.body):
        raise Broken(f"{ours}, but h11 {theirs}")
