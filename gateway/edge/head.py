"""The head of an answer as bytes (RFC 9112, 4 and 5), and what it says of the body's length."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

Fields = Iterable[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS = frozenset({204, 304})

# Names come from code, not from callers, so that there are few of them.
_MANY_NAMES = 1_024
_names: dict[bytes, bytes] = {}


class NotSendable(ValueError):
    """A field of the answer would say something else on the wire."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head ready to be sent; `length` None means chunks, `bodiless` that no body follows."""

    data: bytes
    length: int | None
    bodiless: bool
    closes: bool


def head_of(status: int, fields: Fields, *, to_head: bool, keeps_alive: bool) -> Head:
    """Write a head down, with the framing that the body needs.

    Raises:
        NotSendable: a name or a value that is not one (RFC 9110, 5.1 and 5.5).
    """
    lines, values = [_status_line(status)], []
    length: int | None = None
    chunked = closes = False
    for given, value in fields:
        name = _names.get(given) or _checked(given)
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = value.lower() == b"chunked"
        elif name == b"connection":
            closes = closes or b"close" in value.lower()
        lines.append(b"%b: %b\r\n" % (name, value))
        values.append(value)
    if _NO_VALUE.search(b"\t".join(values)):
        raise NotSendable("a header value with a control character")
    bodiless = to_head or status in _BODILESS
    if not (keeps_alive or closes):
        lines.append(b"connection: close\r\n")
    if not bodiless and length is None and not chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(b"\r\n")
    closes = closes or not keeps_alive
    return Head(b"".join(lines), None if chunked else length, bodiless, closes)


def _checked(given: bytes) -> bytes:
    if not _TOKEN.fullmatch(given):
        raise NotSendable("a header name that is not one")
    if len(_names) < _MANY_NAMES:
        _names[given] = given.lower()
    return given.lower()


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
