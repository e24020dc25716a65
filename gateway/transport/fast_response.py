"""Reads at one glance what most answers are: whole in one piece, with one length, nothing special.

What it takes it reads as the parser would; everything else it leaves to the parser. A service
says most lines of its heads again and again, so that a line is read only when it is new.
"""

import re
from functools import lru_cache
from typing import Final

from gateway.transport.raw_response import RawResponse

_LONGEST_HEAD = 8_192
_MOST_LINES = 64

# Possessive throughout, so that no text takes longer than it is long. A field that says more of
# the message or its connection than is read here is none of these lines.
_LINE: Final = re.compile(
    rb"""
    (?i:content-length): [ \t]*+ (?P<length>[0-9]{1,9}+) [ \t]*+
  | (?i:content-type): [ \t]*+ (?P<type>[\x21-\x7e]++ (?:[ ][\x21-\x7e]++)*+) [ \t]*+
  | (?i:connection): [ \t]*+ (?i:keep-alive) [ \t]*+
  | (?! (?i: connection | content-encoding | content-length | content-type | proxy-connection
           | retry-after | trailer | transfer-encoding | upgrade ) : )
    [!#$%&'*+\-.^_`|~0-9A-Za-z]++ : [\t\x20-\x7e\x80-\xff]*+
    """,
    re.VERBOSE,
)
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (?!204|304)([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*+")

SelectedHeaders = dict[bytes, bytes]  # never changed, for it is shared

_NOTHING: Final[SelectedHeaders] = {}
_PLAIN: Final = "plain"  # it says nothing that matters, as most lines of most heads
_SPECIAL: Final = "special"  # what more it may say, the parser has to read

_MANY_LINES = 1_024
_LONG_LINE = 256

_line_cache: dict[bytes, int | SelectedHeaders | str] = {}
"""What lines seen before said: the length, something to note, nothing that matters, or too much."""


def parse_simple_response(data: bytes) -> RawResponse | None:
    """The answer that `data` is, to a request that was no HEAD; None if it is not plainly one."""
    end = data.find(b"\r\n\r\n", 0, _LONGEST_HEAD)
    if end < 0:
        return None
    head = data[:end]
    lines = head.split(b"\r\n")
    status = _status(lines[0])
    if status is None or len(lines) > _MOST_LINES:
        return None
    length, selected = -1, _NOTHING
    for line in lines[1:]:
        meaning = _line_cache[line] if line in _line_cache else _remember(line)
        if meaning is _PLAIN:
            continue
        if type(meaning) is int and length < 0:
            length = meaning
        elif type(meaning) is dict and selected is _NOTHING:
            selected = meaning
        else:  # a second length, though it be the same, is for the parser
            return None
    body = data[end + 4 :]
    return RawResponse(status, selected, body, None, head) if length == len(body) else None


@lru_cache(maxsize=256)
def _status(line: bytes) -> int | None:
    match = _STATUS_LINE.fullmatch(line)
    return int(match[1]) if match else None


def _remember(line: bytes) -> int | SelectedHeaders | str:
    """What a line tells; kept for the next time."""
    meaning = _parse_line(line)
    # A cookie is somebody's secret, and one of a kind: not to be kept.
    if len(line) <= _LONG_LINE and not line.lower().startswith(b"set-cookie"):
        if len(_line_cache) >= _MANY_LINES:
            _line_cache.clear()
        _line_cache[line] = meaning
    return meaning


def _parse_line(line: bytes) -> int | SelectedHeaders | str:
    match = _LINE.fullmatch(line)
    if match is None:
        return _SPECIAL
    if match["length"] is not None:
        return int(match["length"])
    if match["type"] is not None:
        return {b"content-type": match["type"]}
    return _PLAIN
