"""Parses the requests of one connection with httptools; refuses the ambiguous and the too large."""

import re
from typing import Any, Protocol
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope

from gateway.http1_grammar import (
    FRAMING_PER_BYTE,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LENGTH_DIGITS,
    FieldList,
)
from gateway.request_context import DISCARD_RESPONSE, INTERIM_RESPONSE, RESPONSE_TRAILERS
from gateway.server import refusals
from gateway.server.refusals import RequestRefused, find_refusal
from gateway.server.request_target import check_host, serialize_without_upgrade, split_target

_ALLOWED_HOST_COUNTS = frozenset({("1.0", 0), ("1.0", 1), ("1.1", 1)})  # by HTTP version
_VERSIONS = frozenset({"1.0", "1.1"})
_CHECKED_FIELDS = frozenset({b"host", b"expect", b"te", b"transfer-encoding", b"content-length"})
_BODY_FIELDS = frozenset({b"transfer-encoding", b"content-length"})
_NEXT_CHUNK = re.compile(rb"\r\n([1-9a-fA-F][0-9a-fA-F]{0,7})\r\n")

LONG_CHUNK_BYTES = 4_096
"""Chunks from this size on are passed to httptools one at a time."""


class RequestHandler(Protocol):
    """Gets the requests of a connection in their order, each in these three steps."""

    def begin_request(self, scope: Scope, *, keeps_alive: bool, expects_continue: bool) -> None:
        """Begin a request, whose head is complete."""

    def begin_upgrade(self, scope: Scope) -> None:
        """Begin the handshake of a WebSocket, whose head is complete: the last request."""

    def feed_body(self, piece: bytes) -> None:
        """Add a piece of its body."""

    def end_request(self, trailers: FieldList) -> None:
        """End the request, with the fields that followed a chunked body."""

    def feed_upgrade(self, data: bytes) -> None:
        """Add what arrived with the handshake of a WebSocket, and after it."""


class RequestParser:
    """Parses the bytes of one connection into requests, for a `RequestHandler`."""

    # httptools makes these callbacks, in this order, for each request:
    #     on_message_begin, on_url*, on_header*      `is_receiving` and `is_in_head`
    #     on_headers_complete, on_body*, (trailers)  `is_receiving`
    #     on_message_complete                        neither flag
    #
    # Invariants:
    # - `_head_bytes` counts one head and its trailers, `_framing_bytes` the bytes read since the
    #   last event of the parser; in a chunked body, where they are sizes and extensions, less
    #   FRAMING_PER_BYTE for each byte of the body. Above MAX_HEAD_BYTES either of them refuses the
    #   request.
    # - `_pieces` holds what `feed` has found of a body. The handler gets it in one piece: a body in
    #   chunks of one byte takes no more pieces than another.
    # - `body_bytes_ahead` is the rest of a body with a Content-Length. It is not parsed, apart from
    #   what arrives with the head: httptools would copy it. A new parser takes the next request.
    # - `_chunk_bytes_ahead` is the rest of a chunk, if it is known: no request begins in it. At the
    #   end of such a chunk, `_is_chunk_complete`, and the line with the next size follows.
    # - Once `has_ended`, there are no more requests: the last one was complete, or was refused.
    # - `_data` holds the bytes that are being parsed.

    __slots__ = (
        "_accepts_trailers", "_app_state", "_checked_host", "_chunk_bytes", "_chunk_bytes_ahead",
        "_connection_scope", "_data", "_expects_continue", "_field_count", "_fields",
        "_framing_bytes", "_handler", "_head_bytes", "_host_count", "_is_chunk_complete", "_parser",
        "_pieces", "_trailers", "_url", "body_bytes_ahead", "has_begun", "has_ended", "is_in_head",
        "is_receiving",
    )  # fmt: skip

    def __init__(
        self, handler: RequestHandler, connection_scope: dict[str, Any], app_state: dict[str, Any]
    ) -> None:
        """Create a parser; the two dicts are parts of the ASGI scope of each request."""
        self.is_receiving = self.is_in_head = self.has_begun = self.has_ended = False
        self._handler = handler
        self._connection_scope = connection_scope
        self._app_state = app_state
        self._parser = HttpRequestParser(self)
        self._url = self._checked_host = self._data = b""
        self._fields: FieldList = []
        self._trailers: FieldList = []
        self._pieces: list[bytes] = []
        self.body_bytes_ahead = self._chunk_bytes_ahead = self._chunk_bytes = 0
        self._host_count = self._field_count = self._head_bytes = self._framing_bytes = 0
        self._expects_continue = self._accepts_trailers = self._is_chunk_complete = False

    def close(self) -> None:
        """Break reference cycles, so that the connection needs no garbage collection."""
        del self._parser, self._handler

    def count_chunk_bytes(self, data: memoryview) -> int:
        """Count the bytes at the start of `data` that are of one chunk, or of the line before it.

        The result is 0 if that is not known, or if the chunk is short.
        """
        if self._is_chunk_complete and (line := _NEXT_CHUNK.match(data)) is not None:
            size = int(line[1], 16)
            if size >= LONG_CHUNK_BYTES:
                self._chunk_bytes_ahead = size
                return line.end() + size
        return self._chunk_bytes_ahead

    def feed(self, data: bytes | memoryview) -> None:
        """Parse more bytes; a memoryview holds nothing but bytes of one chunk.

        Raises:
            RequestRefused: with the reason; `has_ended` is set.
        """
        if self.body_bytes_ahead and not self.is_in_head:
            data = self._feed_body(data)
        if self.has_ended or not data:
            return
        self._framing_bytes += len(data)
        is_new, self.has_begun = not self.is_receiving, False
        try:
            if isinstance(data, memoryview):
                self._feed_chunk(data)
            else:
                self._feed_bytes(data)
        except HttpParserError as error:
            if not self.has_ended:
                self.has_ended = True
                # Without a request before it in `data`, the one that is refused begins there.
                request_line = data if is_new and not self.has_begun else b""
                raise RequestRefused(find_refusal(error, bytes(request_line))) from None
        else:
            if self._framing_bytes > MAX_HEAD_BYTES:
                self.has_ended = True
                in_head, in_body = refusals.HEAD_TOO_LARGE, refusals.FRAMING_TOO_LARGE
                raise RequestRefused(in_head if self.is_in_head else in_body)
        finally:
            self._data = b""

    # Called by httptools. An exception ends the parsing with an HttpParserError.

    def on_message_begin(self) -> None:
        if self.has_ended:
            raise RequestRefused(refusals.MALFORMED)
        self.is_receiving = self.is_in_head = True
        self._host_count = self._head_bytes = self._field_count = 0
        self._url, self._fields = b"", []
        self._expects_continue = self._accepts_trailers = False
        self.body_bytes_ahead = self._chunk_bytes_ahead = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise RequestRefused(refusals.URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._field_count += 1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise RequestRefused(refusals.HEAD_TOO_LARGE)
        if self._field_count > MAX_FIELDS:
            raise RequestRefused(refusals.TOO_MANY_FIELDS)
        # A trailer must not be taken for a header (RFC 9110, 6.5.1): a proxy in front of the
        # gateway removes forged fields from the head alone.
        name, value = name.lower(), value.rstrip()
        if not self.is_in_head:
            self._trailers.append((name, value))
            return
        self._fields.append((name, value))
        if name in _CHECKED_FIELDS:
            self._check_field(name, value)

    def on_headers_complete(self) -> None:
        self._framing_bytes = 0
        is_upgrade = self._parser.should_upgrade()
        if is_upgrade and not self._is_handshake():
            return
        scope = self._build_scope()
        self.is_in_head = False
        self.has_begun = True
        if is_upgrade:
            self._handler.begin_upgrade(scope)
            return
        is_http_1_1 = scope["http_version"] == "1.1"
        self._handler.begin_request(
            scope,
            keeps_alive=is_http_1_1 and self._parser.should_keep_alive(),
            expects_continue=is_http_1_1 and self._expects_continue,
        )

    def on_body(self, body: bytes) -> None:
        if self.body_bytes_ahead:
            self.body_bytes_ahead -= len(body)
        elif self._chunk_bytes_ahead:
            self._chunk_bytes_ahead -= len(body)
            self._is_chunk_complete = not self._chunk_bytes_ahead
        else:
            self._chunk_bytes += len(body)
        if not self.is_in_head:  # false in the body of a request with `Upgrade`
            self._pieces.append(body)

    def on_chunk_complete(self) -> None:
        self._chunk_bytes = 0

    def on_message_complete(self) -> None:
        if self._pieces:
            self._deliver_pieces()
        self._framing_bytes = 0
        self.is_receiving = False
        if not self.is_in_head:
            trailers, self._trailers = self._trailers, []
            self._handler.end_request(trailers)

    def _deliver_pieces(self) -> None:
        """Give the handler what has been parsed of a body, in one piece."""
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._framing_bytes -= (1 + FRAMING_PER_BYTE) * len(piece)
        self._framing_bytes = max(self._framing_bytes, 0)
        self._handler.feed_body(piece)

    def _is_handshake(self) -> bool:
        """Whether the request is the handshake of a WebSocket (RFC 6455, 4.1)."""
        protocols = [value.lower() for name, value in self._fields if name == b"upgrade"]
        return (
            self._parser.get_method() == b"GET"
            and self._parser.get_http_version() == "1.1"
            and b"websocket" in map(bytes.strip, b",".join(protocols).split(b","))
            and not any(name in _BODY_FIELDS for name, _ in self._fields)
        )

    def _check_field(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._host_count += 1
            if value != self._checked_host:
                check_host(value)
                self._checked_host = value
        elif name == b"content-length":
            if len(value) > MAX_LENGTH_DIGITS:
                raise RequestRefused(refusals.LENGTH_TOO_LONG)
            # httptools refuses what is not a number.
            self.body_bytes_ahead = int(value) if value.isdigit() else 0
        elif name == b"te":
            codings = map(bytes.strip, value.lower().split(b","))
            self._accepts_trailers = self._accepts_trailers or b"trailers" in codings
        else:
            self._check_expectation(name, value)

    def _check_expectation(self, name: bytes, value: bytes) -> None:
        """Check a field of which one value is supported."""
        if name == b"expect":
            if value.lower() != b"100-continue":
                raise RequestRefused(refusals.UNKNOWN_EXPECTATION)
            self._expects_continue = True
        elif value.lower() != b"chunked":
            raise RequestRefused(refusals.UNKNOWN_CODING)

    def _build_scope(self) -> Scope:
        version, method = self._parser.get_http_version(), self._parser.get_method()
        if (version, self._host_count) not in _ALLOWED_HOST_COUNTS:
            is_known = version in _VERSIONS
            raise RequestRefused(refusals.HOST_COUNT if is_known else refusals.UNKNOWN_VERSION)
        # httptools accepts RTSP and ICE (Icecast), too. The protocol follows method and target.
        is_http = self._data.startswith(b"HTTP/", len(method) + len(self._url) + 2)
        if not is_http:
            target = b"%b %b " % (method, self._url)
            if target + b"RTSP/" in self._data or target + b"ICE/" in self._data:
                raise RequestRefused(refusals.NOT_HTTP)
        raw_path, query, authority = split_target(self._url, method)
        if authority:  # it takes precedence over Host (RFC 9112, 3.2.2)
            self._fields[:] = [field for field in self._fields if field[0] != b"host"]
            self._fields.append((b"host", authority))
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": version,
            "method": method.decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",  # see `gateway/middleware/root_path.py`
            "headers": self._fields,
            "extensions": self._list_extensions(version),
            "state": self._app_state.copy(),
            **self._connection_scope,
        }

    def _list_extensions(self, version: str) -> dict[str, Any]:
        if version != "1.1":
            return {DISCARD_RESPONSE: {}}
        if self._accepts_trailers:
            return {DISCARD_RESPONSE: {}, INTERIM_RESPONSE: {}, RESPONSE_TRAILERS: {}}
        return {DISCARD_RESPONSE: {}, INTERIM_RESPONSE: {}}

    def _feed_body(self, data: bytes | memoryview) -> bytes | memoryview:
        """Pass on bytes of a body with a Content-Length; return what follows it."""
        piece = bytes(data[: self.body_bytes_ahead])  # no copy unless another request follows
        rest = data[len(piece) :]
        self.body_bytes_ahead -= len(piece)
        self._handler.feed_body(piece)
        if not self.body_bytes_ahead:
            self._parser = HttpRequestParser(self)
            self.on_message_complete()
        return rest

    def _feed_chunk(self, data: memoryview) -> None:
        self._parser.feed_data(data)
        if self._pieces:  # not if `data` is a part of the line with the size
            self._deliver_pieces()

    def _feed_bytes(self, data: bytes) -> None:
        self._is_chunk_complete = False
        while data:
            self._data = data
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if not self.is_in_head:
                    self._handler.feed_upgrade(data[upgrade.args[0] :])
                    return
                data = self._restart_without_upgrade() + data[upgrade.args[0] :]
            else:
                if self._chunk_bytes:
                    self._chunk_bytes_ahead = _find_rest_of_chunk(data, self._chunk_bytes)
                    self._chunk_bytes = 0
                if self._pieces:
                    self._deliver_pieces()
                return

    def _restart_without_upgrade(self) -> bytes:
        """Replace the parser, and return the same head without `Upgrade` to feed to the new one.

        This server ignores the field, whereas httptools stops parsing after a head that has it.
        """
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            raise HttpParserError("CONNECT is a method for proxies")
        self._parser = HttpRequestParser(self)
        request_line = b"%b %b HTTP/%b" % (method, self._url, version.encode())
        return serialize_without_upgrade(request_line, self._fields)


def _find_rest_of_chunk(data: bytes, received: int) -> int:
    """Return the bytes to come of the chunk whose first `received` bytes are the end of `data`.

    The result is 0 if `data` does not hold the whole line of its size. httptools has checked it.
    """
    end = len(data) - received - len(b"\r\n")
    start = data.rfind(b"\n", 0, max(end, 0)) + 1
    size = data[start:end].partition(b";")[0]
    return int(size, 16) - received if start else 0
