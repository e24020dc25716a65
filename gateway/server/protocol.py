"""HTTP/1.1 on the public port, for uvicorn, with an end to what one connection may take up."""

import asyncio
from collections import deque
from typing import Any, cast
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from gateway.request_context import RequestContext
from gateway.server.flow_control import FlowControl
from gateway.server.idle_timeout import IdleTimeout
from gateway.server.request_cycle import HIGH_WATER, RequestResponseCycle
from gateway.server.request_target import MalformedRequest, check_host, plain_head, split_target
from gateway.server.response_head import bad_request

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 128
MAX_PIPELINED = 16

CLIENT_CLOSED_REQUEST = 499  # nginx's number for the log; nobody is there to receive it

_VERSIONS_WITH_HOSTS = frozenset({("1.0", 0), ("1.0", 1), ("1.1", 1)})
_NOTED = frozenset({b"host", b"expect", b"transfer-encoding"})


class LimitExceeded(Exception):
    """More than a request may bring, or than may wait on one connection."""


class HttpProtocol(asyncio.Protocol):
    """A connection that ends when its client asks for too much, or keeps others waiting.

    How long it may do that, `IdleTimeout` knows; then the connection is gone, and with it what it
    held. A client that leaves before its answer is whole cancels what runs for it.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app = config.loaded_app
        self._root_path = config.root_path
        self._server = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._running: RequestResponseCycle | None = None
        self._arriving: RequestResponseCycle | None = None
        self._line: deque[RequestResponseCycle] = deque()
        self._url = self._host = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._hosts = self._field_count = self._head_bytes = self._framing_bytes = 0
        self._expects_continue = self._is_arriving = self._in_head = self._is_deaf = False

    # What follows is called by the event loop, and by uvicorn when it stops.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        socket = cast("asyncio.Transport", transport)
        self._wire = FlowControl(socket)
        self._from = {
            "server": get_local_addr(socket),
            "client": get_remote_addr(socket),
            "scheme": "https" if is_ssl(socket) else "http",
        }
        self._server.connections.add(cast("Any", self))
        self._patience = IdleTimeout(self._loop, self._wire, self._is_clients_turn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.end()
        self._wire.is_closing = True
        self._server.connections.discard(cast("Any", self))
        self._line.clear()
        self._wire.drain()
        if self._running is not None and not self._running.is_answered:
            RequestContext.of(self._running.scope).log_fields["status"] = CLIENT_CLOSED_REQUEST
            self._running.leave()
        # What refers to itself would stay until the garbage is collected.
        self._running = self._arriving = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        if self._is_deaf or self._wire.is_closing:
            return
        self._patience.arrived += len(data)
        self._framing_bytes += len(data)
        try:
            while data:
                data = self._parse(data)
        except HttpParserError:
            if not self._is_deaf:
                self._refuse()
        else:
            if self._framing_bytes > MAX_HEAD_BYTES:
                self._refuse()

    def eof_received(self) -> None:
        self._wire.close()

    def pause_writing(self) -> None:
        self._wire.fill()

    def resume_writing(self) -> None:
        self._patience.moved = True
        self._wire.drain()

    def shutdown(self) -> None:
        """Close the connection once what runs on it is answered."""
        self._wire.is_patient = False
        if self._running is not None and not self._running.is_answered:
            self._running.keeps_alive = False
        else:
            self._wire.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._wire.abort()

    # What follows is called by httptools.

    def on_message_begin(self) -> None:
        if self._is_deaf:
            raise LimitExceeded
        self._is_arriving = self._in_head = True
        self._arriving = None
        self._hosts = self._head_bytes = self._field_count = 0
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
        # A trailer is no header (RFC 9110, 6.5.1): no proxy has looked for a forged one there.
        if self._in_head:
            name, value = name.lower(), value.rstrip()
            self._fields.append((name, value))
            if name in _NOTED:
                self._note(name, value)

    def on_headers_complete(self) -> None:
        self._framing_bytes = 0
        if self._parser.should_upgrade():
            return
        if len(self._line) >= MAX_PIPELINED:
            raise LimitExceeded
        scope = self._scope()
        self._in_head = False
        cycle = self._arriving = RequestResponseCycle(
            scope, self._wire, self._server, self._loop, self._on_answered
        )
        is_current = scope["http_version"] == "1.1"
        cycle.keeps_alive = is_current and self._parser.should_keep_alive()
        cycle.expects_continue = is_current and self._expects_continue
        if self._is_answering():
            self._line.append(cycle)
        else:
            self._start(cycle)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self._arriving is not None:
            self._arriving.feed(body)
            if self._line:
                self._look_along_the_line()

    def on_message_complete(self) -> None:
        self._is_arriving = False
        self._framing_bytes = 0
        self._patience.moved = True
        if self._arriving is not None:
            self._arriving.end()
            self._is_deaf = not self._arriving.keeps_alive

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
            if value != self._host:
                check_host(value)
                self._host = value
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        elif value.lower() != b"chunked":
            raise MalformedRequest

    def _scope(self) -> Scope:
        version, method = self._parser.get_http_version(), self._parser.get_method()
        if (version, self._hosts) not in _VERSIONS_WITH_HOSTS:
            raise MalformedRequest
        raw_path, query, authority = split_target(self._url, method)
        if authority:  # it counts for more than Host (RFC 9112, 3.2.2)
            self._fields[:] = [field for field in self._fields if field[0] != b"host"]
            self._fields.append((b"host", authority))
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": version,
            "method": method.decode("ascii"),
            "path": self._root_path + (unquote(path) if "%" in path else path),
            "raw_path": self._root_path.encode("ascii") + raw_path,
            "query_string": query,
            "root_path": self._root_path,
            "headers": self._fields,
            "state": self._app_state.copy(),
            **self._from,
        }

    def _parse(self, data: bytes) -> bytes:
        """Take it in; gives back what is to be taken in once more."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._without_upgrade() + data[upgrade.args[0] :]
        return b""

    def _without_upgrade(self) -> bytes:
        """The head, so that the parser does not take the body for another protocol's."""
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            raise HttpParserError
        self._parser = HttpRequestParser(self)
        return plain_head(b"%b %b HTTP/%b" % (method, self._url, version.encode()), self._fields)

    # Whose turn it is.

    def _start(self, cycle: RequestResponseCycle) -> None:
        self._running = cycle
        cycle.start(self._app)

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.is_answered

    def _is_clients_turn(self) -> bool:
        return self._is_arriving or not (self._is_answering() or self._wire.unsent)

    def _on_answered(self) -> None:
        self._server.total_requests += 1
        self._patience.moved = True
        if self._wire.is_closing:
            return
        if self._line:
            self._start(self._line.popleft())
            self._look_along_the_line()
        if self._running is not None and self._running.held <= HIGH_WATER:
            self._wire.resume_reading()

    def _look_along_the_line(self) -> None:
        """Let all the bodies in it take up no more than the one of what runs."""
        self._wire.is_crowded = sum(cycle.held for cycle in self._line) > HIGH_WATER
        if self._wire.is_crowded:
            self._wire.pause_reading()

    def _refuse(self) -> None:
        """Refuse, unless a client would take it for the answer to another request."""
        if self._is_answering():
            self._wire.close()
            return
        if self._in_head or not self._is_arriving:
            self._wire.write(bad_request(self._server.default_headers))
        self._wire.end()
