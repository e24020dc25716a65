"""HTTP/1.1 responses out of bytes (RFC 9112), one after the other, each within bounds."""

import re
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from httptools import HttpParserError, HttpResponseParser

from gateway.http1_grammar import FieldList, Fields

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 128

_NOTED = frozenset(
    {
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"retry-after",
        b"transfer-encoding",
    }
)

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_FIRST_BYTE = ord("H")
_EMPTY_LINE = b"\r\n\r\n"
_MOST_DIGITS = 20
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class MalformedResponse(Exception):
    """The bytes are no response, or one whose end two readers could place differently."""


class ResponseHead(NamedTuple):
    """The status line and fields of a response; `selected` holds those a client needs."""

    status: int
    version: str
    fields: FieldList
    selected: Mapping[bytes, bytes]


def select_headers(fields: Fields) -> dict[bytes, bytes]:
    """The fields that matter, by lower-case name; what comes again is one list (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        lowered = name.lower()
        if lowered in _NOTED:
            found[lowered] = found[lowered] + b", " + value if lowered in found else value
    return found


class ResponseParser:
    """What has come of the response at hand; `begin` makes it wait for the next.

    `pieces` holds the body that nobody has taken yet, `buffered` its size. `complete` is true
    when nothing more is to come, as it is before the first `begin`; `keeps_alive` then says
    whether another response may follow on the connection.

    llhttp, under httptools, reads heads and chunks, and every response has one of its own. It
    forgives what is before, between and behind them, so where a head ends is found here, and
    a body with a length, or with the connection for its end, never comes to it.
    """

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self.complete = True
        self.keeps_alive = self._until_close = self._chunked = self._bodiless = False
        self.head: ResponseHead | None = None
        self.pieces: deque[bytes] = deque()
        self.buffered = 0
        self._fields: FieldList = []
        self._field_count = self._framing_bytes = self._left = 0
        self._tail = b""

    def begin(self, *, bodiless: bool) -> None:
        """Wait for a response; `bodiless` if it answers a HEAD (RFC 9112, 6.3)."""
        self._bodiless = bodiless
        self.head = None
        self.complete = self.keeps_alive = self._until_close = self._chunked = False
        self.pieces.clear()
        self.buffered = 0
        self._fields = []
        self._field_count = self._framing_bytes = 0
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they came.

        Raises:
            Malformed: they are not, or no longer, a response.
        """
        start = 0
        while self.head is None and start < len(data):
            start = self._feed_head(data, start)
        if start < len(data):
            self._feed_body(data[start:])
        if self.complete:
            self._parser = None

    def _feed_head(self, data: bytes, start: int) -> int:
        """Take what belongs to the head at hand, an interim one or the last; say where it ends."""
        # llhttp would skip empty lines, and take RTSP and ICE for HTTP.
        if not self._tail and data[start] != _FIRST_BYTE:
            raise MalformedResponse("it starts with no status line")
        end = self._head_end(data, start)
        self._framing_bytes += end - start
        if self._framing_bytes > MAX_HEAD_BYTES:
            raise MalformedResponse("the head is too large")
        self._parse(data[start:end])
        return end

    def _head_end(self, data: bytes, start: int) -> int:
        """Behind the first empty line, begun perhaps in an earlier segment; or all of `data`."""
        tail, size = self._tail, len(_EMPTY_LINE)
        self._tail = b""
        if tail and (found := (tail + data[: size - 1]).find(_EMPTY_LINE)) >= 0:
            return found + size - len(tail)
        if (found := data.find(_EMPTY_LINE, start)) >= 0:
            return found + size
        self._tail = (tail + data[max(start, len(data) - size + 1) :])[1 - size :]
        return len(data)

    def _feed_body(self, data: bytes) -> None:
        if self.complete:
            self.keeps_alive = False
        elif self._chunked:
            self._feed_chunks(data)
        elif self._until_close:
            self.on_body(data)
        else:
            self.on_body(data[: self._left])
            self._left -= len(data)
            self.complete = self._left <= 0
            self.keeps_alive = self.keeps_alive and self._left >= 0

    def _feed_chunks(self, data: bytes) -> None:
        self._framing_bytes += len(data)
        self._parse(data)
        self._tail = (self._tail + data[-5:])[-5:]
        if self.complete:
            # llhttp does not tell of line ends that it skips behind the last, empty line.
            ends = self._tail[1:] == _EMPTY_LINE and self._tail[0] not in b"\r\n"
            self.keeps_alive = self.keeps_alive and ends
        elif self._framing_bytes > MAX_HEAD_BYTES:
            raise MalformedResponse("too much between two bytes of the body, or before the first")

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except HttpParserError as exc:
            if not self.complete:
                raise MalformedResponse(str(exc.__context__ or exc)) from exc
            self.keeps_alive = False

    def end(self) -> None:
        """The server closed the connection: a response of unknown length is whole by that."""
        self.complete = self.complete or self._until_close

    def close(self) -> None:
        """Nothing more is fed."""
        self._parser = None

    def take(self) -> bytes:
        """The body as far as it came since it was taken last."""
        taken = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.buffered = 0
        return taken

    # What follows is called by httptools.

    def on_status(self, reason: bytes) -> None:
        if not reason.isalpha() and _CONTROL.search(reason):
            raise MalformedResponse("a control character in the reason phrase")

    def on_header(self, name: bytes, value: bytes) -> None:
        stripped = value.rstrip(b" \t")
        # llhttp takes such a `chunked` for another coding.
        if stripped != value and b"\t" in value and name.lower() == b"transfer-encoding":
            raise MalformedResponse("a tab behind its coding")
        self._fields.append((name, stripped))

    def on_headers_complete(self) -> None:
        if self.complete:
            raise MalformedResponse("another response")
        assert self._parser is not None  # noqa: S101 - it is calling
        fields = self._counted_fields()
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        head = ResponseHead(status, version, fields, select_headers(fields))
        if status < 200:
            _check_interim(head)
            return
        self._framing_bytes = 0
        self._bodiless = self._bodiless or status in {204, 304}
        self._frame(head)
        self.head = head

    def _counted_fields(self) -> FieldList:
        """The fields of this head, or trailer; those that come later are counted with them."""
        fields, self._fields = self._fields, []
        self._field_count += len(fields)
        if self._field_count > MAX_FIELDS:
            raise MalformedResponse("too many fields")
        return fields

    def _frame(self, head: ResponseHead) -> None:
        """Settle where the body ends, and if the connection outlives it (RFC 9112, 6.3 and 9.3)."""
        length = head.selected.get(b"content-length")
        coding = head.selected.get(b"transfer-encoding")
        if coding is not None and (length is not None or coding.lower() != b"chunked"):
            raise MalformedResponse("its length is ambiguous")
        if length is not None and not (length.isdigit() and len(length) <= _MOST_DIGITS):
            raise MalformedResponse("its length is no number, or it has two")
        if head.version != "1.1" and (head.version != "1.0" or coding is not None):
            raise MalformedResponse(f"HTTP/{head.version} has no such framing")
        self._chunked = coding is not None
        self._left = int(length or 0)
        self._until_close = length is None and coding is None and not self._bodiless
        self.keeps_alive = not self._until_close and _keeps_alive(head)
        self.complete = self._bodiless

    def on_body(self, piece: bytes) -> None:
        self._framing_bytes = 0
        self.pieces.append(piece)
        self.buffered += len(piece)

    def on_message_complete(self) -> None:
        if self.head is None:
            return
        trailer = self._counted_fields()
        # It says nothing of where anything ends (RFC 9110, 6.5.1); who does may mean it.
        if trailer and not _FRAMING.isdisjoint(select_headers(trailer)):
            self.keeps_alive = False
        self.complete = True


def _check_interim(head: ResponseHead) -> None:
    """Refuse an interim response that is none, ends HTTP, or says that it has a body."""
    if head.status < 100 or head.status == 101:
        raise MalformedResponse(f"status {head.status}")
    if b"content-length" in head.selected or b"transfer-encoding" in head.selected:
        raise MalformedResponse("an interim response with a body")


def _keeps_alive(head: ResponseHead) -> bool:
    connection = head.selected.get(b"connection")
    if connection is None:
        return head.version == "1.1"
    options = [option.strip() for option in connection.lower().split(b",")]
    return b"close" not in options and (head.version == "1.1" or b"keep-alive" in options)
