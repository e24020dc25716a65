"""Reads at one glance what most answers are: whole in one piece, with one length, nothing special.

What it takes it reads as the parser would; everything else it leaves to the parser.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_LONGEST_HEAD = 8_192
_MOST_LINES = 64

# Possessive throughout, so that no text takes longer than it is long. A field that says more of
# the message or its connection than is read here fits none of the lines.
_HEAD: Final = re.compile(
    rb"""
    HTTP/1\.1[ ] (?!204|304)([2-5][0-9][0-9]) [ ][\t\x20-\x7e\x80-\xff]*+ \r\n
    (?:
        (?i:content-length): [ \t]*+ ([0-9]{1,9}+) [ \t]*+ \r\n
      | (?i:content-type): [ \t]*+ ([\x21-\x7e]++ (?:[ ][\x21-\x7e]++)*+) [ \t]*+ \r\n
      | (?i:connection): [ \t]*+ (?i:keep-alive) [ \t]*+ \r\n
      | (?! (?i: connection | content-encoding | content-length | content-type | proxy-connection
               | retry-after | trailer | transfer-encoding | upgrade ) : )
        [!#$%&'*+\-.^_`|~0-9A-Za-z]++ : [\t\x20-\x7e\x80-\xff]*+ \r\n
    )++
    \r\n
    """,
    re.VERBOSE,
)


class Glance(NamedTuple):
    """A whole answer: its status, the fields that matter, and how long its head is."""

    status: int
    noted: Mapping[bytes, bytes]
    head_bytes: int


_NOTHING: Final[Mapping[bytes, bytes]] = {}


def glance(data: bytes) -> Glance | None:
    """The answer that `data` is, to a request that was no HEAD; None if it is not plainly one."""
    match = _HEAD.match(data, 0, _LONGEST_HEAD)
    if match is None:
        return None
    status, length, content_type = match.groups()
    end = match.end()
    if length is None or int(length) != len(data) - end:
        return None
    lowered = data[:end].lower()
    if (
        lowered.count(b"\ncontent-length:") > 1
        or lowered.count(b"\ncontent-type:") > 1
        or lowered.count(b"\n") > _MOST_LINES
    ):
        return None
    noted = _NOTHING if content_type is None else {b"content-type": content_type}
    return Glance(int(status), noted, end)
