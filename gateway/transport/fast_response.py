"""The fast path for simple responses: whole in one segment, with a Content-Length.

Most responses are simple; `ResponseParser` reads the others. A response accepted here must
be read alike there: tests/gateway/transport/test_fast_response.py compares the two, and so does
tests/fuzz.
"""

import re
from functools import lru_cache
from typing import Final

from gateway.http1_grammar import FIELD_VALUE, TOKEN
from gateway.transport.raw_response import RawResponse

# Bounds of the fast path; the parser takes more (`MAX_HEAD_BYTES`, `MAX_FIELDS`).
_MAX_HEAD_BYTES = 8_192
_MAX_LINES = 64

# Atomic and possessive throughout, so that matching takes linear time. A field that may change
# where the message ends, how its body is read or what a client does matches none of these lines.
# Nine digits are enough for a length here, since the body is in the same segment as the head;
# the parser reads a longer number (`MAX_LENGTH_DIGITS`).
_HEADER_LINE: Final = re.compile(
    rb"""
    (?i:content-length): [ \t]*+ (?P<length>[0-9]{1,9}+) [ \t]*+
  | (?i:content-type): [ \t]*+ (?P<type>[\x21-\x7e]++ (?:[ ][\x21-\x7e]++)*+) [ \t]*+
  | (?i:connection): [ \t]*+ (?i:keep-alive) [ \t]*+
  | (?! (?i: connection | content-encoding | content-length | content-type | proxy-connection
           | retry-after | trailer | transfer-encoding | upgrade ) : )
    (?>%b) : (?>%b)
    """
    % (TOKEN.pattern, FIELD_VALUE.pattern),
    re.VERBOSE,
)
_STATUS_LINE = re.compile(
    rb"HTTP/1\.1 (?!204|304)([2-5][0-9][0-9]) (?>%b)" % FIELD_VALUE.pattern  # no 1xx, no 204, 304
)

SelectedHeaders = dict[bytes, bytes]  # never changed: responses share those in the cache

_NO_HEADERS: Final[SelectedHeaders] = {}
_IGNORED: Final = "ignored"
_NOT_SIMPLE: Final = "not simple"

LineMeaning = int | SelectedHeaders | str
"""The meaning of a header line: a Content-Length, selected headers, `_IGNORED`, `_NOT_SIMPLE`."""

_MAX_CACHED_LINES = 1_024
_MAX_CACHED_LINE_BYTES = 256

_line_cache: dict[bytes, LineMeaning] = {}
"""Parsed header lines: a service repeats most of them in each of its responses."""


def parse_simple_response(data: bytes) -> RawResponse | None:
    """Parse `data` as a whole response to a request other than HEAD; None if it is not simple."""
    end = data.find(b"\r\n\r\n", 0, _MAX_HEAD_BYTES)
    if end < 0:
        return None
    head = data[:end]
    lines = head.split(b"\r\n")
    status = _parse_status_line(lines[0])
    if status is None or len(lines) > _MAX_LINES:
        return None
    length, selected = -1, _NO_HEADERS
    for line in lines[1:]:
        meaning = _line_cache[line] if line in _line_cache else _parse_new_line(line)
        if meaning is _IGNORED:
            continue
        if type(meaning) is int and length < 0:
            length = meaning
        elif type(meaning) is dict and selected is _NO_HEADERS:
            selected = meaning
        else:  # not simple, or a second length or type: the parser decides, even if they are equal
            return None
    body = data[end + 4 :]
    return RawResponse(status, selected, body, None, head) if length == len(body) else None


@lru_cache(maxsize=256)
def _parse_status_line(line: bytes) -> int | None:
    match = _STATUS_LINE.fullmatch(line)
    return int(match[1]) if match else None


def _parse_new_line(line: bytes) -> LineMeaning:
    """Parse a header line that is not in the cache, and put it there."""
    meaning = _parse_line(line)
    # A cookie is a secret and differs in each response: it is never cached.
    if len(line) <= _MAX_CACHED_LINE_BYTES and not line.lower().startswith(b"set-cookie"):
        if len(_line_cache) >= _MAX_CACHED_LINES:
            _line_cache.clear()
        _line_cache[line] = meaning
    return meaning


def _parse_line(line: bytes) -> LineMeaning:
    match = _HEADER_LINE.fullmatch(line)
    if match is None:
        return _NOT_SIMPLE
    if match["length"] is not None:
        return int(match["length"])
    if match["type"] is not None:
        return {b"content-type": match["type"]}
    return _IGNORED
