"""HTTP/1.1 responses out of bytes (RFC 9112), one after the other, each within bounds."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

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

Fields = list[tuple[bytes, bytes]]


class Malformed(Exception):
    """The bytes are no response, or one whose end two readers could place differently."""


class Head(NamedTuple):
    """The status line and fields of a response; `noted` are those that matter to a client."""

    status: int
    version: str
    fields: Fields
    noted: Mapping[bytes, bytes]


def noted(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
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
    """

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self.complete = True
        self.keeps_alive = self._until_close = self._bodiless = False
        self.head: Head | None = None
        self.pieces: deque[bytes] = deque()
        self.buffered = 0
        self._fields: Fields = []
        self._field_count = self._framing_bytes = 0

    def begin(self, *, bodiless: bool) -> None:
        """Wait for a response; `bodiless` if it answers a HEAD (RFC 9112, 6.3)."""
        self._parser = self._parser or HttpResponseParser(self)
        self._bodiless = bodiless
        self.head = None
        self.complete = self.keeps_alive = self._until_close = False
        self.pieces.clear()
        self.buffered = 0
        self._fields = []
        self._field_count = self._framing_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came.

        Raises:
            Malformed: they are not, or no longer, a response.
        """
        room = MAX_HEAD_BYTES - self._framing_bytes
        if self.head is None and len(data) > room:
            self._feed(data[:room])
            if self.head is None:
                raise Malformed("the head is too large")
            data = data[room:]
        self._feed(data)
        # A parser that was not brought to the end of its message, or past it, is of no more use.
        if self.complete and (self._bodiless or not self.keeps_alive):
            self.close()

    def _feed(self, data: bytes) -> None:
        assert self._parser is not None  # noqa: S101 - fed only between begin and complete
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            if not self.complete:
                raise Malformed(str(exc.__context__ or exc)) from exc
            self.keeps_alive = False
        if self._framing_bytes > MAX_HEAD_BYTES and not self.complete:
            raise Malformed("too much between two bytes of the body, or before the first")

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

    def on_message_begin(self) -> None:
        if self.complete:
            self.keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None  # noqa: S101 - it is calling
        if self.complete:
            return
        status = self._parser.get_status_code()
        fields = self._counted_fields()
        if status < 200:
            if status < 100:
                raise Malformed(f"status {status}")
            return
        head = Head(status, self._parser.get_http_version(), fields, noted(fields))
        self._framing_bytes = 0
        self._bodiless = self._bodiless or status in {204, 304}
        self._frame(head)
        self.head = head

    def _counted_fields(self) -> Fields:
        """The fields of this head, or trailer; those that come later are counted with them."""
        fields, self._fields = self._fields, []
        self._field_count += len(fields)
        if self._field_count > MAX_FIELDS:
            raise Malformed("too many fields")
        return fields

    def _frame(self, head: Head) -> None:
        """Settle where the body ends, and if the connection outlives it (RFC 9112, 6.3 and 9.3)."""
        length = head.noted.get(b"content-length")
        coding = head.noted.get(b"transfer-encoding")
        if coding is not None and (length is not None or coding.lower() != b"chunked"):
            raise Malformed("its length is ambiguous")
        if length is not None and b"," in length:
            raise Malformed("it has two lengths")
        if head.version != "1.1" and (head.version != "1.0" or coding is not None):
            raise Malformed(f"HTTP/{head.version} has no such framing")
        self._until_close = length is None and coding is None and not self._bodiless
        self.keeps_alive = not self._until_close and _keeps_alive(head)
        self.complete = self._bodiless

    def on_body(self, piece: bytes) -> None:
        if self.complete:
            self.keeps_alive = False
            return
        self._framing_bytes = 0
        self.pieces.append(piece)
        self.buffered += len(piece)

    def on_message_complete(self) -> None:
        if self.head is not None:
            self._counted_fields()
            self.complete = True


def _keeps_alive(head: Head) -> bool:
    connection = head.noted.get(b"connection")
    if connection is None:
        return head.version == "1.1"
    options = [option.strip() for option in connection.lower().split(b",")]
    return b"close" not in options and (head.version == "1.1" or b"keep-alive" in options)
