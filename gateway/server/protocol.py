"""The HTTP/1.1 protocol of the public port, run by uvicorn: parsing, pipelining and bounds."""

import asyncio
import enum
from collections import deque
from typing import Any, cast
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope
from uvicorn import Config

from gateway.http1_grammar import MAX_FIELDS, MAX_HEAD_BYTES
from gateway.request_context import DISCARD_RESPONSE, RequestContext
from gateway.server.error_responses import serialize_bad_request
from gateway.server.flow_control import FlowControl
from gateway.server.idle_timeout import IdleTimeout
from gateway.server.request_cycle import HIGH_WATER_LIMIT, RequestResponseCycle
from gateway.server.request_target import (
    MalformedRequest,
    check_host,
    serialize_without_upgrade,
    split_target,
)
from gateway.server.uvicorn_internals import ServerState, describe_connection

MAX_PIPELINED = 16  # requests that wait on one connection behind the one in flight

CLIENT_CLOSED_REQUEST = 499  # the status that nginx logs; it is never sent

_ALLOWED_HOST_COUNTS = frozenset({("1.0", 0), ("1.0", 1), ("1.1", 1)})  # by HTTP version
_CHECKED_FIELDS = frozenset({b"host", b"expect", b"transfer-encoding"})


class LimitExceeded(Exception):
    """A request or a connection exceeds one of the bounds."""


class ProtocolState(enum.Enum):
    """The states of a connection. RESPONDING covers pipelined requests that arrive meanwhile."""

    IDLE = "idle"
    READING_HEAD = "reading head"
    READING_BODY = "reading body"
    RESPONDING = "responding"
    CLOSING = "closing"


class HttpProtocol(asyncio.Protocol):
    """One connection of a client: parses requests and runs the app for them, one at a time.

    A request that exceeds a bound is refused. A client that is idle for too long is disconnected
    (see `IdleTimeout`). A client that disconnects before its response is complete cancels the app.
    """

    # Receiving and responding are two state machines, because of pipelining.
    #
    # Receiving. httptools makes these callbacks, in this order, for each request:
    #     on_message_begin, on_url*, on_header*      `_is_receiving` and `_is_in_head`
    #     on_headers_complete, on_body*, (trailers)  `_is_receiving`; `_receiving` is the cycle
    #     on_message_complete                        neither flag
    # `_discards_input` is set after the last request of a connection: later bytes are dropped.
    #
    # Responding. `_active` is the cycle whose app runs, or ran last; `_pipelined` holds the cycles
    # after it, in order. The next one starts when the response of `_active` is complete.
    #
    # Invariants:
    # - `_pipelined` is empty unless the response of `_active` is incomplete or the connection is
    #   closing, and never longer than MAX_PIPELINED.
    # - The bodies in `_pipelined` together hold no more than HIGH_WATER_LIMIT bytes and one read.
    # - `_head_bytes` counts one head and its trailers, `_framing_bytes` the bytes read since the
    #   last event of the parser, such as chunk extensions. Above MAX_HEAD_BYTES either of them
    #   refuses the request.
    # - A request that is refused while a response is incomplete gets no response of its own: the
    #   client would take it for the incomplete one. The connection is closed instead.

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app = config.loaded_app
        self._root_path = config.root_path
        self._raw_root_path = config.root_path.encode("ascii")
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._active: RequestResponseCycle | None = None
        self._receiving: RequestResponseCycle | None = None
        self._pipelined: deque[RequestResponseCycle] = deque()
        self._url = self._checked_host = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._host_count = self._field_count = self._head_bytes = self._framing_bytes = 0
        self._expects_continue = self._is_receiving = self._is_in_head = False
        self._discards_input = False

    def __repr__(self) -> str:
        return f"<HttpProtocol {self.state.value}, {len(self._pipelined)} pipelined>"

    @property
    def state(self) -> ProtocolState:
        """The state of the connection; derived, so that no request pays for keeping it."""
        flow = getattr(self, "_flow", None)  # None until the connection is made
        if flow is not None and flow.is_closing:
            return ProtocolState.CLOSING
        if self._is_responding():
            return ProtocolState.RESPONDING
        if not self._is_receiving:
            return ProtocolState.IDLE
        return ProtocolState.READING_HEAD if self._is_in_head else ProtocolState.READING_BODY

    # Called by the event loop, and by uvicorn when it stops.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        self._flow = FlowControl(transport)
        self._connection_scope = describe_connection(transport)
        self._server_state.connections.add(cast("Any", self))
        self._idle_timeout = IdleTimeout(self._loop, self._flow, self._is_awaiting_client)

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle_timeout.cancel()
        self._flow.is_closing = True
        self._server_state.connections.discard(cast("Any", self))
        self._pipelined.clear()
        self._flow.resume_writing()
        if self._active is not None and not self._active.is_response_complete:
            RequestContext.of(self._active.scope).log_fields["status"] = CLIENT_CLOSED_REQUEST
            self._active.disconnect()
        # Break reference cycles, so that the connection needs no garbage collection.
        self._active = self._receiving = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        if self._discards_input or self._flow.is_closing:
            return
        self._idle_timeout.bytes_received += len(data)
        self._framing_bytes += len(data)
        try:
            while data:
                data = self._feed_parser(data)
        except HttpParserError:
            if not self._discards_input:
                self._refuse()
        else:
            if self._framing_bytes > MAX_HEAD_BYTES:
                self._refuse()

    def eof_received(self) -> None:
        self._flow.close()

    def pause_writing(self) -> None:
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        self._idle_timeout.has_progressed = True
        self._flow.resume_writing()

    def shutdown(self) -> None:
        """Close the connection once the response in flight is complete."""
        self._flow.can_linger = False
        if self._active is not None and not self._active.is_response_complete:
            self._active.keeps_alive = False
        else:
            self._flow.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._flow.abort()

    # Called by httptools. An exception ends the parsing with an HttpParserError.

    def on_message_begin(self) -> None:
        if self._discards_input:
            raise LimitExceeded
        self._is_receiving = self._is_in_head = True
        self._receiving = None
        self._host_count = self._head_bytes = self._field_count = 0
        self._url, self._fields, self._expects_continue = b"", [], False

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise LimitExceeded

    def on_header(self, name: bytes, value: bytes) -> None:
        self._field_count += 1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or self._field_count > MAX_FIELDS:
            raise LimitExceeded
        # A trailer must not be taken for a header (RFC 9110, 6.5.1): a proxy in front of the
        # gateway removes forged fields from the head alone.
        if self._is_in_head:
            name, value = name.lower(), value.rstrip()
            self._fields.append((name, value))
            if name in _CHECKED_FIELDS:
                self._check_field(name, value)

    def on_headers_complete(self) -> None:
        self._framing_bytes = 0
        if self._parser.should_upgrade():
            return
        if len(self._pipelined) >= MAX_PIPELINED:
            raise LimitExceeded
        scope = self._build_scope()
        self._is_in_head = False
        cycle = self._receiving = RequestResponseCycle(
            scope, self._flow, self._server_state, self._loop, self._on_response_complete
        )
        is_http_1_1 = scope["http_version"] == "1.1"
        cycle.keeps_alive = is_http_1_1 and self._parser.should_keep_alive()
        cycle.expects_continue = is_http_1_1 and self._expects_continue
        if self._is_responding():
            self._pipelined.append(cycle)
        else:
            self._start_cycle(cycle)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self._receiving is not None:
            self._receiving.feed_body(body)
            if self._pipelined:
                self._limit_pipelined_bytes()

    def on_message_complete(self) -> None:
        self._is_receiving = False
        self._framing_bytes = 0
        self._idle_timeout.has_progressed = True
        if self._receiving is not None:
            self._receiving.end_body()
            self._discards_input = not self._receiving.keeps_alive

    def _check_field(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._host_count += 1
            if value != self._checked_host:
                check_host(value)
                self._checked_host = value
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        elif value.lower() != b"chunked":
            raise MalformedRequest

    def _build_scope(self) -> Scope:
        version, method = self._parser.get_http_version(), self._parser.get_method()
        if (version, self._host_count) not in _ALLOWED_HOST_COUNTS:
            raise MalformedRequest
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
            "path": self._root_path + (unquote(path) if "%" in path else path),
            "raw_path": self._raw_root_path + raw_path,
            "query_string": query,
            "root_path": self._root_path,
            "headers": self._fields,
            "extensions": {DISCARD_RESPONSE: {}},
            "state": self._app_state.copy(),
            **self._connection_scope,
        }

    def _feed_parser(self, data: bytes) -> bytes:
        """Parse `data`; return the bytes to feed to a new parser, if the parser was replaced."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._restart_without_upgrade() + data[upgrade.args[0] :]
        return b""

    def _restart_without_upgrade(self) -> bytes:
        """Replace the parser, and return the same head without `Upgrade` to feed to the new one.

        This server ignores the field, whereas httptools stops parsing after a head that has it.
        """
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            raise HttpParserError
        self._parser = HttpRequestParser(self)
        request_line = b"%b %b HTTP/%b" % (method, self._url, version.encode())
        return serialize_without_upgrade(request_line, self._fields)

    # Responding.

    def _start_cycle(self, cycle: RequestResponseCycle) -> None:
        self._active = cycle
        cycle.start(self._app)

    def _is_responding(self) -> bool:
        return self._active is not None and not self._active.is_response_complete

    def _is_awaiting_client(self) -> bool:
        """Whether the client has to send next: it is in the middle of a request, or between two."""
        return self._is_receiving or not (self._is_responding() or self._flow.unsent_bytes)

    def _on_response_complete(self) -> None:
        self._server_state.total_requests += 1
        self._idle_timeout.has_progressed = True
        if self._flow.is_closing:
            return
        if self._pipelined:
            self._start_cycle(self._pipelined.popleft())
            self._limit_pipelined_bytes()
        if self._active is not None and self._active.buffered_bytes <= HIGH_WATER_LIMIT:
            self._flow.resume_reading()

    def _limit_pipelined_bytes(self) -> None:
        """Pause reading while all pipelined bodies together exceed the limit of one body."""
        buffered_bytes = sum(cycle.buffered_bytes for cycle in self._pipelined)
        self._flow.is_pipeline_full = buffered_bytes > HIGH_WATER_LIMIT
        if self._flow.is_pipeline_full:
            self._flow.pause_reading()

    def _refuse(self) -> None:
        """Refuse the request in progress with 400, or by closing while a response is incomplete."""
        if self._is_responding():
            self._flow.close()
            return
        if self._is_in_head or not self._is_receiving:
            self._flow.write(serialize_bad_request(self._server_state.default_headers))
        self._flow.half_close()
