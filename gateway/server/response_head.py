"""The head of an answer as bytes (RFC 9112, 4 and 5), and what it says of the body's length."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

Fields = Iterable[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_END = (b"", b"")
_BODILESS = frozenset({204, 304})
_LONGEST = 19  # digits, so that what a length says fits in 64 bits
_REFUSAL = b"Invalid HTTP request received."
_REFUSAL_FIELDS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(_REFUSAL)),
)

# Names come from code, not from callers, so that there are few of them.
_MANY_NAMES = 1_024
_starts: dict[bytes, bytes] = {}
"""Of a line, by the name that it was given."""

_LENGTH = b"content-length: "
_CONNECTION = b"connection: "
_CODING = b"transfer-encoding: "
_FRAMING = frozenset({_LENGTH, _CONNECTION, _CODING})


class NotSendable(ValueError):
    """A field of the answer would say something else on the wire."""


@dataclass(slots=True)  # frozen, it would take three times as long to make
class SerializedHead:
    """A head ready to be sent, and what is to follow it; nobody changes it.

    Of a body that is neither `bodiless` nor `chunked` and has no `length`, the end is that of
    the connection.
    """

    data: bytes
    length: int | None
    chunked: bool
    bodiless: bool
    closes: bool


def serialize_head(
    status: int, fields: Fields, *, to_head: bool = False, keeps_alive: bool, chunks: bool = True
) -> SerializedHead:
    """Write a head down, with the framing that the body needs; that is not for the app to say.

    `chunks` says whether the client knows them; one that speaks HTTP/1.0 does not.

    Raises:
        NotSendable: a status that is not final, a field that is not one (RFC 9110, 5.1 and 5.5),
            or not one length (RFC 9110, 8.6).
    """
    lines, length, closes = _written(status, fields)
    bodiless = to_head or status in _BODILESS
    chunked = chunks and length is None and not bodiless
    keeps_alive = keeps_alive and (chunked or bodiless or length is not None)
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    if not (keeps_alive or closes):
        lines.append(b"connection: close")
    lines += _END
    return SerializedHead(b"\r\n".join(lines), length, chunked, bodiless, closes or not keeps_alive)


def bad_request(fields: Fields) -> bytes:
    """The whole of the last answer to who does not speak HTTP/1.1."""
    return serialize_head(400, [*fields, *_REFUSAL_FIELDS], keeps_alive=False).data + _REFUSAL


def _written(status: int, fields: Fields) -> tuple[list[bytes], int | None, bool]:
    """The lines, the length they tell, and whether they announce the end of the connection."""
    lines = [_STATUS_LINES.get(status) or _unnamed(status)]
    length: int | None = None
    closes = False
    for name, value in fields:
        start = _starts.get(name) or _start(name)
        if start in _FRAMING:
            if start == _CODING:
                continue
            if start == _CONNECTION:
                closes = closes or b"close" in value.lower()
            else:
                length = _length(value, length)
                if status == 204:
                    continue
        lines.append(start + value)
    _check(lines)
    return lines, length, closes


def _check(lines: list[bytes]) -> None:
    # Most lines are printable throughout, and `str` knows that at a glance.
    text = b"".join(lines)
    if not text.decode("latin-1").isprintable() and _CONTROL.search(text):
        raise NotSendable("a header value with a control character")


def _length(value: bytes, before: int | None) -> int:
    if before is not None or not value.isdigit() or len(value) > _LONGEST:
        raise NotSendable("a Content-Length that is not one number")
    return int(value)


def _start(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise NotSendable("a header name that is not one")
    start = name.lower() + b": "
    if len(_starts) < _MANY_NAMES:
        _starts[name] = start
    return start


def _unnamed(status: int) -> bytes:
    if not 200 <= status <= 999:
        raise NotSendable("a status that is not final")
    return b"HTTP/1.1 %d " % status


_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode())
    for status in HTTPStatus
    if status >= 200
}
