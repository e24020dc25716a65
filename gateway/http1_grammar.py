"""The grammar and the bounds of HTTP/1.1 messages that the server and the transport share.

RFC 9110, sections 5 and 8.6; RFC 9112, sections 3, 5 and 6.
"""

import re
from collections.abc import Iterable, Iterator

Fields = Iterable[tuple[bytes, bytes]]
"""Header fields in their order: names and values as they stand in the message."""

FieldList = list[tuple[bytes, bytes]]
"""Header fields as a parser collects them."""

MAX_HEAD_BYTES = 65_536
"""Bytes of a start line and its fields; also of the framing of chunks beyond FRAMING_PER_BYTE."""

FRAMING_PER_BYTE = 16
"""Bytes of framing that each byte of a chunked body allows: sizes, extensions and line ends.

A chunk of one byte needs five. A recipient should limit the extensions (RFC 9112, 7.1.1).
"""

MAX_FIELDS = 128
"""Fields of a message, trailers included."""

MAX_LENGTH_DIGITS = 18
"""Digits of a Content-Length, so that it fits in a signed 64-bit integer."""

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A method or a field name (RFC 9110, 5.6.2)."""

FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
"""A field value, obs-text included (RFC 9110, 5.5)."""

REQUEST_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
"""A request target without white space or control characters (RFC 9112, 3.2)."""

FRAMING_FIELDS = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""Fields that say where a message ends and whether its connection goes on."""

CONNECTION_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Hop-by-hop and framing fields, which only the codec sets (RFC 9110, 7.6.1)."""

_CONTROL_CHARACTERS = bytes({*range(32), 127} - {ord("\t")})


def has_control_character(text: bytes) -> bool:
    """Whether `text` has a byte that a field value or a reason phrase must not contain.

    Deleting all such bytes takes a third of the time that a regular expression needs.
    """
    return len(text.translate(None, _CONTROL_CHARACTERS)) != len(text)


def iter_valid_fields(fields: Fields) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields whose name and value a message may have."""
    for name, value in fields:
        if TOKEN.fullmatch(name) and FIELD_VALUE.fullmatch(value):
            yield name, value


def split_list(values: Iterable[bytes]) -> list[bytes]:
    """Split the values of a list field; empty elements do not count (RFC 9110, 5.6.1)."""
    elements = (element.strip(b" \t") for element in b",".join(values).split(b","))
    return [element for element in elements if element]
