"""The invariants of the response parser, for any bytes in any segments."""

import re
from itertools import pairwise

from gateway.transport.fast_response import parse_simple_response
from gateway.transport.response_parser import select_headers
from tests.fuzz.h11_parser import parse_with_h11
from tests.fuzz.lockgate_parser import parse_with_lockgate
from tests.fuzz.reference_parser import ParseResult, parse_with_reference

# Known differences: h11 limits a number to 20 digits, Lockgate limits its value. h11 also refuses
# some values of Transfer-Encoding in a trailer, where RFC 9110 (6.5.1) does not allow the field.
_KNOWN_DIFFERENCES = re.compile(rb"[0-9A-Fa-f]{21}|(?is:transfer-encoding:.*transfer-encoding:)")

# The fast path does not return these fields.
_NOT_RETURNED = {b"connection", b"content-length", b"transfer-encoding"}


class InvariantViolated(AssertionError):
    """An invariant of the parser or the transport does not hold."""


def check_parser(data: bytes, split_at: list[int], *, bodiless: bool) -> None:
    """Parse `data` in one piece, split at `split_at` and byte by byte; compare with other parsers.

    Raises:
        InvariantViolated: the results differ where they must be equal.
    """
    result = parse_with_lockgate([data] if data else [], bodiless=bodiless)
    for pieces in (split(data, split_at), [data[i : i + 1] for i in range(len(data))]):
        _check_same(result, parse_with_lockgate(pieces, bodiless=bodiless))
    _check_against_reference(result, parse_with_reference(data, bodiless=bodiless))
    if not bodiless:
        _check_fast_path(result, data)
    _check_against_h11(result, parse_with_h11(data, bodiless=bodiless), data)


def split(data: bytes, split_at: list[int]) -> list[bytes]:
    """Split `data` into non-empty pieces at these offsets, modulo its length."""
    bounds = sorted({0, len(data), *(offset % len(data) for offset in split_at if data)})
    return [data[start:end] for start, end in pairwise(bounds)]


def _check_same(one: ParseResult, other: ParseResult) -> None:
    """Segmentation must not change the result."""
    if one.state != other.state:
        raise InvariantViolated(f"{one.state} in one piece, {other.state} in several")
    if one.state == "complete" and one != other:
        raise InvariantViolated(f"{one} in one piece, {other} in several")


def _check_against_reference(lockgate: ParseResult, expected: ParseResult) -> None:
    """The reference parser must accept what Lockgate accepts, with the same result."""
    if lockgate.state == "invalid":
        return
    if lockgate.status and lockgate.status != expected.status:
        raise InvariantViolated(f"the status differs: {lockgate}, reference {expected}")
    if lockgate.status and (lockgate.version, lockgate.fields) != (
        expected.version,
        expected.fields,
    ):
        raise InvariantViolated(f"the head differs: {lockgate}, reference {expected}")
    if not expected.body.startswith(lockgate.body):
        raise InvariantViolated(f"the body differs: {lockgate.body!r}, reference {expected.body!r}")
    if lockgate.state == "complete" and (expected.state != "complete" or lockgate != expected):
        raise InvariantViolated(f"{lockgate}, but reference {expected}")
    if lockgate.state == "incomplete" and expected.state == "complete":
        raise InvariantViolated(f"the parser waits for more data after {expected}")


def _check_fast_path(lockgate: ParseResult, data: bytes) -> None:
    """The general parser must accept what the fast path accepts, with the same result."""
    reply = parse_simple_response(data)
    if reply is None:
        return
    returned_fields = {
        name: value
        for name, value in select_headers(lockgate.fields).items()
        if name not in _NOT_RETURNED
    }
    expected = (
        lockgate.status,
        returned_fields,
        lockgate.body,
        lockgate.state,
        lockgate.keeps_alive,
    )
    if (reply.status, reply.selected, reply.body, "complete", True) != expected:
        raise InvariantViolated(f"fast path {reply}, but parser {lockgate}")
    if reply.headers.raw != lockgate.fields:
        raise InvariantViolated(f"fast path {reply.headers.raw}, but parser {lockgate.fields}")


def _check_against_h11(lockgate: ParseResult, h11_result: ParseResult, data: bytes) -> None:
    """h11 must accept what Lockgate accepts, with the same status and body."""
    if lockgate.state != "complete" or _KNOWN_DIFFERENCES.search(data):
        return
    if h11_result.state != "complete" or (lockgate.status, lockgate.body) != (
        h11_result.status,
        h11_result.body,
    ):
        raise InvariantViolated(f"{lockgate}, but h11 {h11_result}")
