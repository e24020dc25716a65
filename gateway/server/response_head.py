"""Serializes the head of a response (RFC 9112, 4 and 5) and chooses the framing of its body."""

from collections.abc import Container
from dataclasses import dataclass
from http import HTTPStatus

from gateway.http1_grammar import (
    CONNECTION_FIELDS,
    FRAMING_FIELDS,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LENGTH_DIGITS,
    TOKEN,
    Fields,
    has_control_character,
)

_END = (b"", b"")
_BODILESS_STATUS = frozenset({204, 304})

# Most names recur. Those of a proxied service are whatever it sends, so the cache is bounded.
_MAX_CACHED_NAMES = 1_024
_line_starts: dict[bytes, bytes] = {}
"""`name: ` in lower case, by the field name as the app wrote it."""

_CONNECTION = b"connection: "
_TRANSFER_ENCODING = b"transfer-encoding: "
_FRAMING = frozenset(name + b": " for name in FRAMING_FIELDS)


_NOT_IN_TRAILERS = frozenset(name.encode() + b": " for name in CONNECTION_FIELDS)

_SWITCHING_PROTOCOLS = [
    b"HTTP/1.1 101 Switching Protocols", b"connection: upgrade", b"upgrade: websocket",
]  # fmt: skip


class InvalidResponseHead(ValueError):
    """A status or a field that an app must not send."""


@dataclass(slots=True)  # frozen, it would take three times as long to create
class SerializedHead:
    """The head of a response, and the framing of the body that follows; never modified."""

    data: bytes
    length: int | None
    is_chunked: bool
    is_bodiless: bool
    keeps_alive: bool

    @property
    def is_close_delimited(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, 6.3)."""
        return self.length is None and not (self.is_chunked or self.is_bodiless)


def serialize_head(
    status: int,
    fields: Fields,
    *,
    is_head_request: bool = False,
    keeps_alive: bool,
    can_chunk: bool = True,
) -> SerializedHead:
    """Serialize the head with the framing that the body needs; the app does not choose it.

    `can_chunk` is false for a client that speaks HTTP/1.0.

    Raises:
        InvalidResponseHead: the status is not final, a field is invalid (RFC 9110, 5.1 and 5.5),
            or Content-Length is not one number (RFC 9110, 8.6).
    """
    lines, length, is_close_announced = _serialize_lines(status, fields)
    is_bodiless = is_head_request or status in _BODILESS_STATUS
    is_chunked = can_chunk and length is None and not is_bodiless
    keeps_alive = keeps_alive and (is_chunked or is_bodiless or length is not None)
    if is_chunked:
        lines.append(b"transfer-encoding: chunked")
    if not (keeps_alive or is_close_announced):
        lines.append(b"connection: close")
    lines += _END
    keeps_alive = keeps_alive and not is_close_announced
    return SerializedHead(b"\r\n".join(lines), length, is_chunked, is_bodiless, keeps_alive)


def serialize_interim(status: int, fields: Fields) -> bytes:
    """Serialize an interim response, such as 103 (RFC 9110, 15.2); it has no framing.

    Raises:
        InvalidResponseHead: the status is not that of an interim response, or a field is invalid.
    """
    if not 100 <= status <= 199 or status == 101:
        raise InvalidResponseHead(f"{status} is not the status of an interim response")
    return _join([b"HTTP/1.1 %d " % status], fields, _FRAMING)


def serialize_switching(fields: Fields) -> SerializedHead:
    """Serialize `101 Switching Protocols` for a WebSocket (RFC 6455, 4.2.2).

    Raises:
        InvalidResponseHead: a field is invalid.
    """
    data = _join(_SWITCHING_PROTOCOLS, fields, _NOT_IN_TRAILERS)
    return SerializedHead(data, None, is_chunked=False, is_bodiless=True, keeps_alive=False)


def serialize_trailers(fields: Fields) -> bytes:
    """Serialize the end of a chunked body, with these trailers (RFC 9112, 7.1.2).

    Fields of the connection are left out: a trailer must not change the framing.

    Raises:
        InvalidResponseHead: a field is invalid, or there are too many.
    """
    trailers = _join([b"0"], fields, _NOT_IN_TRAILERS)
    if len(trailers) > MAX_HEAD_BYTES or trailers.count(b"\n") > MAX_FIELDS + 2:
        raise InvalidResponseHead(
            f"more than {MAX_FIELDS} trailers, or more than {MAX_HEAD_BYTES} bytes of them"
        )
    return trailers


def _join(lines: list[bytes], fields: Fields, left_out: Container[bytes]) -> bytes:
    starts = [(_line_starts.get(name) or _build_line_start(name), value) for name, value in fields]
    lines = [*lines, *(start + value for start, value in starts if start not in left_out)]
    if has_control_character(b"".join(lines)):
        raise InvalidResponseHead("a header value contains a control character")
    return b"\r\n".join([*lines, *_END])


def _serialize_lines(status: int, fields: Fields) -> tuple[list[bytes], int | None, bool]:
    """Return the lines, their Content-Length, and whether they have `Connection: close`."""
    lines = [_STATUS_LINES.get(status) or _build_status_line(status)]
    length: int | None = None
    is_close_announced = False
    for name, value in fields:
        start = _line_starts.get(name) or _build_line_start(name)
        if start in _FRAMING:
            if start == _TRANSFER_ENCODING:
                continue
            if start == _CONNECTION:
                is_close_announced = is_close_announced or b"close" in value.lower()
            else:
                length = _parse_length(value, length)
                if status == 204:
                    continue
        lines.append(start + value)
    if has_control_character(b"".join(lines)):
        raise InvalidResponseHead("a header value contains a control character")
    return lines, length, is_close_announced


def _parse_length(value: bytes, previous: int | None) -> int:
    if previous is not None or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
        raise InvalidResponseHead(f"Content-Length must be one number, not {value!r}")
    return int(value)


def _build_line_start(name: bytes) -> bytes:
    if not TOKEN.fullmatch(name):
        raise InvalidResponseHead(f"invalid header field name {name!r}")
    start = name.lower() + b": "
    if len(_line_starts) < _MAX_CACHED_NAMES:
        _line_starts[name] = start
    return start


def _build_status_line(status: int) -> bytes:
    if not 200 <= status <= 999:
        raise InvalidResponseHead(f"{status} is not a final status (200 to 999)")
    return b"HTTP/1.1 %d " % status


_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode())
    for status in HTTPStatus
    if status >= 200
}
