"""A simple parser of HTTP/1.1 responses (RFC 9112) that works on the complete input.

It is slow and easy to verify, and shares no code with the parser under test.
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
# Extensions are ignored, so the name or value may be absent and a quoted string may follow a token.
# Something must follow the last semicolon.
_VALUE = b"(?:" + _TOKEN + b")?(?:" + _QUOTED + b")?"
_EXTENSION = rb";(?!\Z)(?:" + _TOKEN + b")?(?:=" + _VALUE + b")?"
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:" + _EXTENSION + b")*")

# RFC 9112, 4. Many servers omit the space before an absent reason phrase, so it is optional.
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: " + _TEXT + b")?")


class Invalid(Exception):
    """The bytes are not a response."""


class Incomplete(Exception):
    """The bytes are the beginning of a response."""


@dataclass(slots=True)
class ParseResult:
    """The result of parsing bytes as one response.

    `rest` holds the bytes after a complete response.
    """

    state: Literal["complete", "incomplete", "invalid"] = "incomplete"
    status: int = 0
    version: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    keeps_alive: bool = False
    rest: bytes = field(default=b"", compare=False)


def parse_with_reference(data: bytes, *, bodiless: bool) -> ParseResult:
    """Parse the response to one request; after `data` the server closes the connection."""
    result = ParseResult()
    try:
        result.rest = _parse(data, result, bodiless)
    except Invalid:
        result.state = "invalid"
    except Incomplete:
        result.state = "incomplete"
    else:
        result.state = "complete"
    result.keeps_alive &= result.state == "complete" and not result.rest
    return result


def _parse(data: bytes, result: ParseResult, bodiless: bool) -> bytes:
    """Fill in `result`; return the bytes after the response."""
    status = 100
    while status < 200:
        version, status, fields, data = _parse_head(data)
        lengths = _get_values(b"content-length", fields)
        codings = [value.lower() for value in _get_values(b"transfer-encoding", fields)]
        if status < 200 and (
            status == 101 or lengths or codings or not _is_keep_alive(version, fields)
        ):
            raise Invalid
    _check_framing(version, lengths, codings)
    result.status, result.version, result.fields = status, version, fields
    keeps_alive = _is_keep_alive(version, fields)
    if bodiless or status in {204, 304}:
        result.keeps_alive = keeps_alive
        return data
    if codings:
        result.keeps_alive = keeps_alive
        return _parse_chunks(data, result)
    if not lengths:
        result.body = data
        return b""
    result.keeps_alive = keeps_alive
    length = int(lengths[0])
    result.body = data[:length]
    if len(data) < length:
        raise Incomplete
    return data[length:]


def _check_framing(version: str, lengths: list[bytes], codings: list[bytes]) -> None:
    """Refuse framing that is ambiguous (RFC 9112, 6.3)."""
    if len(lengths) + len(codings) > 1:
        raise Invalid
    if lengths and (not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) >= 1 << 64):
        raise Invalid
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise Invalid


def _get_values(name: bytes, fields: list[tuple[bytes, bytes]]) -> list[bytes]:
    return [value for field_name, value in fields if field_name.lower() == name]


def _is_keep_alive(version: str, fields: list[tuple[bytes, bytes]]) -> bool:
    """Return whether the connection persists after the response (RFC 9112, 9.3)."""
    values = b",".join(_get_values(b"connection", fields))
    options = {option.strip(b" \t").lower() for option in values.split(b",")}
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


def _parse_head(data: bytes) -> tuple[str, int, list[tuple[bytes, bytes]], bytes]:
    line, data = _parse_line(data)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Invalid
    fields, data = _parse_fields(data)
    return match[1].decode(), int(match[2]), fields, data


def _parse_fields(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    fields: list[tuple[bytes, bytes]] = []
    while True:
        line, data = _parse_line(data)
        if not line:
            return fields, data
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Invalid
        fields.append((match[1], match[2].strip(b" \t")))


def _parse_chunks(data: bytes, result: ParseResult) -> bytes:
    while True:
        line, data = _parse_line(data)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Invalid
        size = int(match[1], 16)
        if size >= 1 << 64:
            raise Invalid
        if size == 0:
            trailer, data = _parse_fields(data)
            # Not allowed in a trailer (RFC 9110, 6.5.1), so the connection cannot be reused.
            result.keeps_alive &= not any(_get_values(name, trailer) for name in _NOT_IN_TRAILERS)
            return data
        result.body += data[:size]
        if len(data) < size + 2:
            raise Incomplete
        if data[size : size + 2] != b"\r\n":
            raise Invalid
        data = data[size + 2 :]


def _parse_line(data: bytes) -> tuple[bytes, bytes]:
    line, end, rest = data.partition(b"\r\n")
    if not end:
        raise Incomplete
    return line, rest
