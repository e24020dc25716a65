"""The HTTP/1.1 protocol of the public port: requests and responses of one connection, in order."""

import asyncio
import enum
from contextvars import Context
from typing import Any, cast

from starlette.types import Scope
from uvicorn import Config

from gateway.http1_grammar import FieldList
from gateway.request_context import RequestContext
from gateway.server.client_timeouts import ClientWait
from gateway.server.connections import OpenConnections
from gateway.server.error_responses import serialize_refusal
from gateway.server.flow_control import FlowControl
from gateway.server.pipelining import PARSE_BYTES, Pipeline
from gateway.server.refusals import Refusal, RequestRefused
from gateway.server.request_body import HIGH_WATER_LIMIT
from gateway.server.request_cycle import MAX_DROPPED_BYTES, CycleState, RequestResponseCycle
from gateway.server.request_parser import RequestParser
from gateway.server.upgrade import UPGRADE, Upgrade
from gateway.server.uvicorn_internals import ServerState, describe_connection


class ProtocolState(enum.Enum):
    """The states of a connection. RESPONDING covers pipelined requests that arrive meanwhile."""

    IDLE = "idle"
    READING_HEAD = "reading head"
    READING_BODY = "reading body"
    RESPONDING = "responding"
    CLOSING = "closing"


class HttpProtocol(asyncio.Protocol):
    """One connection of a client: runs the app for its requests, one at a time.

    A request that exceeds a bound is refused. A client that takes too long is disconnected (see
    `OpenConnections`). A client that disconnects before its response is complete, or that closes
    its side of the connection, cancels the app.
    """

    # Receiving and responding are two state machines, because of pipelining.
    #
    # Receiving. `RequestParser` knows how far a request has arrived. `_receiving` is the cycle of
    # the last one whose head is complete.
    #
    # Responding. `_active` is the cycle whose app runs, or ran last; `_pipeline` holds the cycles
    # after it, in order. The next one starts when the response of `_active` is complete.
    #
    # Invariants:
    # - No cycle waits unless the response of `_active` is incomplete or the connection is closing.
    # - While the pipeline is full, nothing is parsed and nothing is read.
    # - A request that is refused while a response is incomplete gets its response after those of
    #   the requests before it: `_refusal` holds it until then.

    __slots__ = (
        "__weakref__", "_active", "_app", "_client", "_connections", "_dropped_bytes", "_flow",
        "_is_reserved", "_loop", "_parser", "_pipeline", "_receiving", "_refusal", "_server_state",
        "_state", "_transport", "_upgrade", "_wait",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - the first three are those of uvicorn's protocols
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        connections: OpenConnections,
        *,
        client: tuple[str, int] | None = None,
        is_reserved: bool = False,
    ) -> None:
        """Create the protocol of one connection.

        `client` is the address of the client, if it is known. A connection that `is_reserved` was
        accepted above the limit of connections, for probes.
        """
        self._app = config.loaded_app
        self._server_state = server_state
        self._state = app_state
        self._connections = connections
        self._client = client
        self._is_reserved = is_reserved
        self._loop = asyncio.get_running_loop()
        self._active: RequestResponseCycle | None = None
        self._receiving: RequestResponseCycle | None = None
        self._pipeline = Pipeline()
        self._upgrade: Upgrade | None = None
        self._refusal: tuple[Refusal, RequestContext] | None = None
        self._dropped_bytes = 0

    def __repr__(self) -> str:
        return f"<HttpProtocol {self.state.value}, {len(self._pipeline.waiting)} pipelined>"

    @property
    def state(self) -> ProtocolState:
        """The state of the connection; derived, so that no request pays for keeping it."""
        if self._flow.is_closing:
            return ProtocolState.CLOSING
        if self._is_responding():
            return ProtocolState.RESPONDING
        if not self._parser.is_receiving:
            return ProtocolState.IDLE
        in_head = self._parser.is_in_head
        return ProtocolState.READING_HEAD if in_head else ProtocolState.READING_BODY

    # Called by the event loop, and by uvicorn when it stops.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flow = FlowControl(self._transport, self._connections.paused_connections)
        scope = describe_connection(self._transport, self._client)
        self._client = scope["client"]
        self._parser = RequestParser(self, scope, self._state)
        self._server_state.connections.add(cast("Any", self))
        self._connections.opening.discard(self)
        self._connections.count += 1
        self._wait = ClientWait(self, self._connections, self._flow, self._transport, self._loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(cast("Any", self))
        self._connections.count -= 1
        self._pipeline.clear()
        self._flow.connection_lost()
        if self._active is not None and not self._active.is_response_complete:
            self._active.connection_lost(exc)
        # Break reference cycles, so that the connection needs no garbage collection.
        self._active = self._receiving = self._upgrade = None
        self._parser.close()
        self._wait.close()
        del self._transport

    def data_received(self, data: bytes) -> None:
        if self._parser.has_ended or self._flow.is_closing:
            if self._upgrade is not None:
                self._upgrade.data_received(data)
            return
        self._wait.received_bytes += len(data)
        if self._pipeline.unparsed or len(data) > PARSE_BYTES:
            self._pipeline.add_unparsed(data)
            self._parse_buffered()
        else:
            self._parse(data)
            if self._pipeline.waiting:
                self._limit_pipeline()
        if self._parser.is_receiving:
            self._wait_for_rest()

    def eof_received(self) -> bool:
        if self._upgrade is not None and self._upgrade.eof_received():
            return True
        self._flow.close(is_truncated=self._is_truncated())
        self._wait.wait_in(self._connections.closing)
        return False

    def pause_writing(self) -> None:
        self._flow.pause_writing()
        self._wait.begin_reading()
        if self._upgrade is not None:
            self._upgrade.pause_writing()

    def resume_writing(self) -> None:
        self._wait.end_reading()
        self._flow.resume_writing()
        if self._upgrade is not None:
            self._upgrade.resume_writing()
        if self._wait.queue is None and not self._is_responding():
            self._wait.wait_in(self._connections.idle)

    def shutdown(self) -> None:
        """Close the connection once the response in flight is complete."""
        self._flow.can_linger = False
        if self._active is not None and not self._active.is_response_complete:
            self._active.shutdown()
        else:
            self._flow.close()

    def cancel_request(self) -> None:
        """Respond with 503 to the request in flight, unless its response has begun."""
        if self._active is not None:
            self._active.respond_unavailable()

    def abort(self) -> None:
        """Close the connection at once; reset it if a response might look complete."""
        self._flow.abort(is_truncated=self._is_truncated())

    def _is_truncated(self) -> bool:
        return self._active is not None and self._active.is_end_ambiguous

    # Called by ClientWait, and from below.

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self._receiving is not None and self._receiving.expects_continue

    @property
    def is_streaming(self) -> bool:
        """Whether the response to the request whose body arrives has begun, and is incomplete."""
        return self._receiving is not None and self._receiving.state is CycleState.RESPONDING

    def refuse(self, refusal: Refusal) -> None:
        """Refuse the request in progress, once the requests before it have their responses."""
        self._parser.has_ended, self._pipeline.unparsed = True, b""
        is_in_body = self._parser.is_receiving and not self._parser.is_in_head
        cycle = self._receiving if is_in_body else None
        if cycle is not None and not self._withdraw(cycle, refusal):
            return
        self._refusal = refusal, RequestContext.of(cycle.scope if cycle is not None else {})
        if not self._is_responding():
            self._send_refusal(*self._refusal)

    def _wait_for_rest(self) -> None:
        """Apply the timeout of an incomplete request, unless an earlier one is in flight."""
        if self._parser.has_ended:
            return
        if not self._parser.is_in_head:
            self._wait.begin_body()
        elif not self._is_responding():
            self._wait.wait_for_head()

    # Called by RequestParser.

    def begin_request(self, scope: Scope, *, keeps_alive: bool, expects_continue: bool) -> None:
        """Start the request, or let it wait behind the one in flight."""
        cycle = self._receiving = RequestResponseCycle(
            scope, self._flow, self._server_state, self._loop, self._on_response_complete
        )
        is_last = self._connections.is_draining or self._is_reserved
        cycle.keeps_alive = keeps_alive and not is_last
        cycle.expects_continue = expects_continue
        self._dropped_bytes = 0
        if self._is_responding():
            self._pipeline.waiting.append(cycle)
        else:
            self._start_cycle(cycle)

    def begin_upgrade(self, scope: Scope) -> None:
        """Start the handshake of a WebSocket, the last request of the connection."""
        upgrade = self._upgrade = Upgrade(self._flow, self._transport)
        scope["extensions"][UPGRADE] = upgrade
        self.begin_request(scope, keeps_alive=False, expects_continue=False)

    def feed_upgrade(self, data: bytes) -> None:
        """Keep what arrived after a handshake for the protocol of the WebSocket."""
        assert self._upgrade is not None  # noqa: S101 - `begin_upgrade` has set it
        self._upgrade.data_received(data)

    def feed_body(self, piece: bytes) -> None:
        """Pass a piece of the body on; half close if too much follows the response."""
        assert self._receiving is not None  # noqa: S101 - `begin_request` has set it
        self._receiving.feed_body(piece)
        if self._receiving.is_response_complete:
            self._dropped_bytes += len(piece)
            if self._dropped_bytes > MAX_DROPPED_BYTES and not self._flow.is_closing:
                self._half_close()

    def end_request(self, trailers: FieldList) -> None:
        """Note that the request is complete."""
        assert self._receiving is not None  # noqa: S101 - `begin_request` has set it
        self._wait.end_body()
        self._receiving.end_body(trailers)
        self._parser.has_ended = not self._receiving.keeps_alive

    # Parsing.

    def _parse_buffered(self) -> None:
        """Parse the rest of what was read, until the pipeline is full."""
        pipeline, parser = self._pipeline, self._parser
        while pipeline.unparsed and not (pipeline.is_full or self._flow.is_closing):
            self._parse(pipeline.take_unparsed(parser))
            if parser.has_ended:
                rest, pipeline.unparsed = bytes(pipeline.unparsed), b""
                if self._upgrade is not None:
                    self._upgrade.data_received(rest)
        self._limit_pipeline()

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed(data)
        except RequestRefused as error:
            self.refuse(error.refusal)

    def _limit_pipeline(self) -> None:
        """Pause reading while the pipeline is full."""
        self._flow.is_pipeline_full = bool(self._pipeline.unparsed) or self._pipeline.is_full
        if self._flow.is_pipeline_full:
            self._flow.pause_reading()

    # Responding.

    def _start_cycle(self, cycle: RequestResponseCycle, context: Context | None = None) -> None:
        self._wait.begin_request()
        self._active = cycle
        cycle.start(self._app, context)

    def _is_responding(self) -> bool:
        return self._active is not None and not self._active.is_response_complete

    def _on_response_complete(self) -> None:
        self._server_state.total_requests += 1
        if self._flow.is_closing:
            self._wait.wait_in(self._connections.closing)
            return
        if self._pipeline.waiting:
            # This runs in the context of the app, whose variables the next request must not see.
            self._start_cycle(self._pipeline.waiting.pop(0), Context())
        elif self._refusal is not None:
            self._send_refusal(*self._refusal)
            return
        if self._pipeline.unparsed or self._flow.is_pipeline_full:
            self._parse_buffered()
        if not (self._is_responding() or self._flow.is_write_paused):
            self._wait.wait_in(self._connections.idle)
        if self._parser.is_receiving:
            self._wait_for_rest()
        if self._active is not None and self._active.buffered_bytes <= HIGH_WATER_LIMIT:
            self._flow.resume_reading()

    def _withdraw(self, cycle: RequestResponseCycle, refusal: Refusal) -> bool:
        """End a request whose body is refused. Returns False if it already has a response."""
        if cycle is not self._active:
            self._pipeline.waiting.remove(cycle)
        elif cycle.is_response_complete:
            self._half_close()
            return False
        elif not cycle.refuse(refusal.status):
            RequestContext.of(cycle.scope).log_fields["reason"] = refusal.hint or refusal.detail
            self._flow.close(is_truncated=self._is_truncated())
            self._wait.wait_in(self._connections.closing)
            return False
        return True

    def _send_refusal(self, refusal: Refusal, context: RequestContext) -> None:
        fields = self._server_state.default_headers
        self._flow.write(serialize_refusal(refusal, fields, self._client, context))
        self._half_close()

    def _half_close(self) -> None:
        """End our side after the last response; the client may still send for a while."""
        self._parser.has_ended = True
        self._flow.half_close()
        self._wait.wait_in(self._connections.closing)
