"""HTTP/1.1 responses out of bytes (RFC 9112), one after the other, each within bounds."""

from collections import deque
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 128

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})

Fields = list[tuple[bytes, bytes]]


class Malformed(Exception):
    """The bytes are no response, or one whose end two readers could place differently."""


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and fields of a response."""

    status: int
    version: str
    fields: Fields


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
        self._field_count = self._field_bytes = self._framing_bytes = 0

    def begin(self, *, bodiless: bool) -> None:
        """Wait for a response; `bodiless` if it answers a HEAD (RFC 9112, 6.3)."""
        self._parser = self._parser or HttpResponseParser(self)
        self._bodiless = bodiless
        self.head = None
        self.complete = self.keeps_alive = self._until_close = False
        self.pieces.clear()
        self.buffered = 0
        self._fields = []
        self._field_count = self._field_bytes = self._framing_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came.

        Raises:
            Malformed: they are not, or no longer, a response.
        """
        assert self._parser is not None  # noqa: S101 - fed only between begin and complete
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            if not self.complete:
                raise Malformed(str(exc.__context__ or exc)) from exc
            self.keeps_alive = False
        # A parser that was not brought to the end of its message, or past it, is of no more use.
        if self.complete and (self._bodiless or not self.keeps_alive):
            self.close()
        if not self.complete and self._framing_bytes > MAX_HEAD_BYTES:
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
        self._field_count += 1
        self._field_bytes += len(name) + len(value)
        if self._field_count > MAX_FIELDS or self._field_bytes > MAX_HEAD_BYTES:
            raise Malformed("the head is too large")
        if self.head is None:
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None  # noqa: S101 - it is calling
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status < 100:
            raise Malformed(f"status {status}")
        if status < 200:
            self._fields = []
            return
        head = Head(status, self._parser.get_http_version(), self._fields)
        self._framing_bytes = 0
        self._bodiless = self._bodiless or status in {204, 304}
        self._frame(head)
        self.head = head

    def _frame(self, head: Head) -> None:
        """Settle where the body ends, and if the connection outlives it (RFC 9112, 6.3 and 9.3)."""
        framing: dict[bytes, list[bytes]] = {name: [] for name in _FRAMING}
        for name, value in head.fields:
            if (lowered := name.lower()) in framing:
                framing[lowered].append(value.lower())
        lengths, codings = framing[b"content-length"], framing[b"transfer-encoding"]
        options = {option.strip() for option in b",".join(framing[b"connection"]).split(b",")}
        if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
            raise Malformed("its length is ambiguous")
        if head.version != "1.1" and (head.version != "1.0" or codings):
            raise Malformed(f"HTTP/{head.version} has no such framing")
        self._until_close = not (self._bodiless or lengths or codings)
        alive = b"close" not in options and (head.version == "1.1" or b"keep-alive" in options)
        self.keeps_alive = alive and not self._until_close
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
            self.complete = True
