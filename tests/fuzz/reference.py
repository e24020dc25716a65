"""A plain reader of HTTP/1.1 responses (RFC 9112): all the bytes at hand, one rule at a time.

It is slow and obvious, and shares no code with the one it judges.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_FIELD = re.compile(b"(" + _TOKEN + b"):(" + _TEXT + b")")
_NOT_IN_TRAILERS = (b"connection", b"content-length", b"transfer-encoding")
_LENGTH = re.compile(rb"[0-9]+")
# An extension may lack its name or its value, and a quotation follow a word, as nobody looks at
# any of them; but something has to follow the last semicolon.
_VALUE = b"(?:" + _TOKEN + b")?(?:" + _QUOTED + b")?"
_EXTENSION = rb";(?!\Z)(?:" + _TOKEN + b")?(?:=" + _VALUE + b")?"
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:" + _EXTENSION + b")*")


# RFC 9112, 4, and the space before an absent reason phrase left out, as many servers do.
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: " + _TEXT + b")?")


class Refused(Exception):
    """It is no response."""


class Short(Exception):
    """It may become one."""


@dataclass(slots=True)
class Reading:
    """What the bytes are; `state` says if that is a whole response, part of one, or none.

    `rest` is what follows a whole one.
    """

    state: Literal["whole", "part", "none"] = "part"
    status: int = 0
    version: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    keeps_alive: bool = False
    rest: bytes = field(default=b"", compare=False)


def read(data: bytes, *, bodiless: bool) -> Reading:
    """Read the response to one request; after `data` the server closes the connection."""
    reading = Reading()
    try:
        reading.rest = _read(data, reading, bodiless)
    except Refused:
        reading.state = "none"
    except Short:
        reading.state = "part"
    else:
        reading.state = "whole"
    reading.keeps_alive &= reading.state == "whole" and not reading.rest
    return reading


def _read(data: bytes, reading: Reading, bodiless: bool) -> bytes:
    """Fill in `reading`; what is left comes back."""
    status = 100
    while status < 200:
        version, status, fields, data = _head(data)
        lengths = _named(b"content-length", fields)
        codings = [value.lower() for value in _named(b"transfer-encoding", fields)]
        if status < 200 and (status == 101 or lengths or codings or not _alive(version, fields)):
            raise Refused
    _check(version, lengths, codings)
    reading.status, reading.version, reading.fields = status, version, fields
    alive = _alive(version, fields)
    if bodiless or status in {204, 304}:
        reading.keeps_alive = alive
        return data
    if codings:
        reading.keeps_alive = alive
        return _chunks(data, reading)
    if not lengths:
        reading.body = data
        return b""
    reading.keeps_alive = alive
    length = int(lengths[0])
    reading.body = data[:length]
    if len(data) < length:
        raise Short
    return data[length:]


def _check(version: str, lengths: list[bytes], codings: list[bytes]) -> None:
    """Refuse a length that can be read in two ways (RFC 9112, 6.3)."""
    if len(lengths) + len(codings) > 1:
        raise Refused
    if lengths and (not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) >= 1 << 64):
        raise Refused
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise Refused


def _named(name: bytes, fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    return [value for written, value in fields if written.lower() == name]


def _alive(version: str, fields: list[tuple[bytes, bytes]]) -> bool:
    """If the connection outlives the message (RFC 9112, 9.3)."""
    said = b",".join(_named(b"connection", fields))
    options = {option.strip(b" \t").lower() for option in said.split(b",")}
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


def _head(data: bytes) -> tuple[str, int, list[tuple[bytes, bytes]], bytes]:
    line, data = _line(data)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Refused
    fields, data = _fields(data)
    return match[1].decode(), int(match[2]), fields, data


def _fields(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    fields: list[tuple[bytes, bytes]] = []
    while True:
        line, data = _line(data)
        if not line:
            return fields, data
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Refused
        fields.append((match[1], match[2].strip(b" \t")))


def _chunks(data: bytes, reading: Reading) -> bytes:
    while True:
        line, data = _line(data)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Refused
        size = int(match[1], 16)
        if size >= 1 << 64:
            raise Refused
        if size == 0:
            trailer, data = _fields(data)
            # It is none of a trailer's business (RFC 9110, 6.5.1), so what follows is in doubt.
            reading.keeps_alive &= not any(_named(name, trailer) for name in _NOT_IN_TRAILERS)
            return data
        reading.body += data[:size]
        if len(data) < size + 2:
            raise Short
        if data[size : size + 2] != b"\r\n":
            raise Refused
        data = data[size + 2 :]


def _line(data: bytes) -> tuple[bytes, bytes]:
    line, end, rest = data.partition(b"\r\n")
    if not end:
        raise Short
    return line, rest
