"""Incremental parser of HTTP/1.1 responses (RFC 9112), with bounds on all that it buffers."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.http1_grammar import (
    FRAMING_FIELDS,
    FRAMING_PER_BYTE,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LENGTH_DIGITS,
    FieldList,
    Fields,
    has_control_character,
)

_SELECTED = FRAMING_FIELDS | {b"content-encoding", b"content-type", b"retry-after"}
_FIRST_BYTE = ord("H")
_EMPTY_LINE = b"\r\n\r\n"


class MalformedResponse(Exception):
    """The bytes are not a response, or two parsers could disagree on where it ends."""


class ResponseHead(NamedTuple):
    """The status line and fields of a response; `selected` holds those that a client acts on."""

    status: int
    version: str
    fields: FieldList
    selected: Mapping[bytes, bytes]


def select_headers(fields: Fields) -> dict[bytes, bytes]:
    """Return the fields that a client acts on, by lower-case name.

    Repeated fields are joined (RFC 9110, 5.3).
    """
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        lowered = name.lower()
        if lowered in _SELECTED:
            found[lowered] = found[lowered] + b", " + value if lowered in found else value
    return found


class ResponseParser:
    """Parses one response after the other; `begin` starts the next one.

    `head` is None until it has arrived. `pieces` holds the part of the body that has not been taken
    yet, `buffered` its size in bytes. `is_complete` is true once the whole response has arrived,
    and before the first `begin`. `keeps_alive` then says whether another response may follow on
    the connection.

    A response that `fast_response.parse_simple_response` accepts must be read alike here:
    tests/gateway/transport/test_fast_response.py compares the two, and so does tests/fuzz.
    """

    # llhttp, under httptools, parses heads and chunks. It tolerates bytes before, between and after
    # them, so this class decides which bytes it gets. The cases of bytes that arrive:
    #
    #   head is None        They belong to a head, up to the first empty line. An interim response
    #                       (1xx) is parsed and dropped, then the next head follows.
    #   _is_chunked         llhttp reads the chunks and the trailer.
    #   _reads_until_close  All bytes are the body; only `feed_eof` completes the response. Also
    #                       after a 101, when they belong to another protocol.
    #   otherwise           The body has `_bytes_left` more bytes; 0 if there is no body at all
    #                       (HEAD, 204, 304). llhttp never sees such a body.
    #   is_complete         Nothing may follow: `keeps_alive` becomes false, the bytes are dropped.
    #
    # Invariants:
    #   - Each response has a parser of llhttp's of its own: no state passes to the next one.
    #   - llhttp gets a head only up to its empty line, so it never decides itself how to read a
    #     body, and every head is parsed by the same rules wherever the segments end.
    #   - `_framing_bytes` counts the bytes of the heads, and then those of the chunks and the
    #     trailer, less FRAMING_PER_BYTE for each byte of the body; `_field_count` counts the fields
    #     of all heads and trailers of one response. Both are bounded, so no endless head, chunk
    #     extension, trailer or series of 1xx fills the memory or takes the time of a body.
    #   - The chunks that arrive together are one of `pieces`, however short they are.
    #   - A response whose framing is ambiguous is refused (RFC 9112, 6.3), never guessed:
    #     an attacker could place the next response inside its body (response smuggling).
    #   - `is_complete` never turns false again before `begin`.

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self._chunks: list[bytes] = []
        self.begin(has_no_body=False)
        self.is_complete = True

    def begin(self, *, has_no_body: bool) -> None:
        """Start the next response; `has_no_body` for one to a HEAD request (RFC 9112, 6.3)."""
        # Every attribute is set here: whatever one response left behind would reach another caller.
        self._parser: HttpResponseParser | None = None
        self._has_no_body = has_no_body
        self.interim: deque[ResponseHead] | None = None
        self._can_upgrade = False
        self.head: ResponseHead | None = None
        self.trailers: FieldList = []
        self.is_complete = self.keeps_alive = self._reads_until_close = self._is_chunked = False
        self.pieces.clear()
        self._chunks.clear()
        self.buffered = 0
        self._fields: FieldList = []
        self._field_count = self._framing_bytes = self._bytes_left = 0
        self._tail = b""

    def collect_interim(self, *, can_upgrade: bool) -> None:
        """Keep interim responses (1xx) in `interim`; a 101 is the head if the client `can_upgrade`.

        The bytes after a 101 are its body.
        """
        self.interim, self._can_upgrade = deque(), can_upgrade

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the response, which may end anywhere.

        Raises:
            MalformedResponse: they are not, or no longer, a response.
        """
        start = 0
        while self.head is None and start < len(data):
            start = self._feed_head(data, start)
        if start < len(data):
            self._feed_body(data[start:])
        if self.is_complete:
            self._parser = None

    def _feed_head(self, data: bytes, start: int) -> int:
        """Parse the part of a head, interim or final, in `data`; return where that part ends."""
        # llhttp would skip empty lines, and accept RTSP and ICE as HTTP.
        if not self._tail and data[start] != _FIRST_BYTE:
            raise MalformedResponse("the response does not start with a status line")
        end = self._find_head_end(data, start)
        self._framing_bytes += end - start
        if self._framing_bytes > MAX_HEAD_BYTES:
            raise MalformedResponse(f"the head is larger than {MAX_HEAD_BYTES} bytes")
        self._parse(data[start:end])
        return end

    def _find_head_end(self, data: bytes, start: int) -> int:
        """Return the end of the first empty line, or of `data` if the head continues.

        The empty line may have begun in an earlier segment, whose last bytes `_tail` keeps.
        """
        tail, size = self._tail, len(_EMPTY_LINE)
        self._tail = b""
        if tail and (found := (tail + data[: size - 1]).find(_EMPTY_LINE)) >= 0:
            return found + size - len(tail)
        if (found := data.find(_EMPTY_LINE, start)) >= 0:
            return found + size
        self._tail = (tail + data[max(start, len(data) - size + 1) :])[1 - size :]
        return len(data)

    def _feed_body(self, data: bytes) -> None:
        if self.is_complete:
            self.keeps_alive = False
        elif self._is_chunked:
            self._feed_chunks(data)
        elif self._reads_until_close:
            self._add_piece(data)
        else:
            self._add_piece(data[: self._bytes_left])
            self._bytes_left -= len(data)
            self.is_complete = self._bytes_left <= 0
            # A negative number: there were bytes after the body.
            self.keeps_alive = self.keeps_alive and self._bytes_left >= 0

    def _feed_chunks(self, data: bytes) -> None:
        self._framing_bytes += len(data)
        try:
            self._parse(data)
        finally:
            self._join_chunks()
        self._tail = (self._tail + data[-5:])[-5:]
        if self.is_complete:
            # llhttp silently skips line ends after the last, empty line.
            is_end = self._tail[1:] == _EMPTY_LINE and self._tail[0] not in b"\r\n"
            self.keeps_alive = self.keeps_alive and is_end
        elif self._framing_bytes > MAX_HEAD_BYTES:
            raise MalformedResponse(
                f"more than {MAX_HEAD_BYTES} bytes of chunk framing beyond what its data allow"
            )

    def _join_chunks(self) -> None:
        """Add the chunks of one segment as one piece."""
        if self._chunks:
            piece = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._framing_bytes -= (1 + FRAMING_PER_BYTE) * len(piece)
            self._framing_bytes = max(self._framing_bytes, 0)
            self._add_piece(piece)

    def _add_piece(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.buffered += len(piece)

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # the head of a 101, which `on_headers_complete` has accepted
        except HttpParserError as exc:
            if not self.is_complete:
                raise MalformedResponse(str(exc.__context__ or exc)) from exc
            self.keeps_alive = False

    def feed_eof(self) -> None:
        """Note that the server closed the connection: the end of a body without a length."""
        self.is_complete = self.is_complete or self._reads_until_close

    def close(self) -> None:
        """Free llhttp's parser, which refers to this object; nothing more is fed."""
        self._parser = None

    def take_body(self) -> bytes:
        """Return the bytes of the body that have arrived since the last call."""
        body = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.buffered = 0
        return body

    # Called by httptools.

    def on_status(self, reason: bytes) -> None:
        if not reason.isalpha() and has_control_character(reason):
            raise MalformedResponse("control character in the reason phrase")

    def on_header(self, name: bytes, value: bytes) -> None:
        stripped = value.rstrip(b" \t")
        # llhttp takes `chunked` followed by a tab for another coding.
        if stripped != value and b"\t" in value and name.lower() == b"transfer-encoding":
            raise MalformedResponse("tab after the transfer coding")
        self._fields.append((name, stripped))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            raise MalformedResponse("unexpected second response")
        assert self._parser is not None  # noqa: S101 - it is calling
        fields = self._take_fields()
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        head = ResponseHead(status, version, fields, select_headers(fields))
        if status < 200 and not (status == 101 and self._can_upgrade):
            _check_interim(head)
            if self.interim is not None:
                self.interim.append(head)
            return
        self._framing_bytes = 0
        self._has_no_body = self._has_no_body or status in {204, 304}
        self._set_framing(head)
        if status == 101:
            self._reads_until_close, self.keeps_alive = True, False
        self.head = head

    def _take_fields(self) -> FieldList:
        """Return the fields of a head or a trailer; all of one response count against the bound."""
        fields, self._fields = self._fields, []
        self._field_count += len(fields)
        if self._field_count > MAX_FIELDS:
            raise MalformedResponse(f"more than {MAX_FIELDS} header fields")
        return fields

    def _set_framing(self, head: ResponseHead) -> None:
        """Decide where the body ends, and whether the connection persists (RFC 9112, 6.3, 9.3)."""
        length = head.selected.get(b"content-length")
        coding = head.selected.get(b"transfer-encoding")
        if coding is not None and (length is not None or coding.lower() != b"chunked"):
            raise MalformedResponse(
                "Transfer-Encoding is not `chunked`, or there is a Content-Length too"
            )
        if length is not None and not (length.isdigit() and len(length) <= MAX_LENGTH_DIGITS):
            raise MalformedResponse("Content-Length is not one number of bytes")
        if head.version != "1.1" and (head.version != "1.0" or coding is not None):
            raise MalformedResponse(f"unsupported framing in HTTP/{head.version}")
        self._is_chunked = coding is not None
        self._bytes_left = int(length or 0)
        self._reads_until_close = length is None and coding is None and not self._has_no_body
        self.keeps_alive = not self._reads_until_close and _keeps_alive(head)
        self.is_complete = self._has_no_body

    def on_body(self, piece: bytes) -> None:
        self._chunks.append(piece)

    def on_message_complete(self) -> None:
        # To llhttp, the head of a 101 is a whole message.
        if self.head is None or self._reads_until_close:
            return
        trailer = self._take_fields()
        # Framing fields in a trailer have no effect (RFC 9110, 6.5.1), but the server that sends
        # them may disagree about where its response ends.
        if trailer and not FRAMING_FIELDS.isdisjoint(select_headers(trailer)):
            self.keeps_alive = False
        self.trailers = trailer
        self.is_complete = True


def _check_interim(head: ResponseHead) -> None:
    """Refuse a 1xx response that switches protocols, has a body, or has no valid status."""
    if head.status < 100 or head.status == 101:
        raise MalformedResponse(f"unexpected status {head.status}")
    if b"content-length" in head.selected or b"transfer-encoding" in head.selected:
        raise MalformedResponse("interim response with a body")


def _keeps_alive(head: ResponseHead) -> bool:
    connection = head.selected.get(b"connection")
    if connection is None:
        return head.version == "1.1"
    options = [option.strip() for option in connection.lower().split(b",")]
    return b"close" not in options and (head.version == "1.1" or b"keep-alive" in options)
