"""One HTTP/1.1 connection: its socket, and the exchanges on it, one after the other."""

import asyncio
from math import inf
from typing import Protocol, cast

import httpx

from gateway.http1_grammar import Fields
from gateway.pending_io import AfterPendingIo
from gateway.transport.connection_end import build_end_error, build_malformed_error
from gateway.transport.connection_state import ConnectionState
from gateway.transport.deadline_timer import LazyTimer
from gateway.transport.exchange_handler import ExchangeHandler
from gateway.transport.fast_response import parse_simple_response
from gateway.transport.keep_alive_field import find_keep_alive_seconds
from gateway.transport.raw_response import OnComplete, RawResponse
from gateway.transport.request_writer import IDEMPOTENT
from gateway.transport.response_parser import MalformedResponse, ResponseParser
from gateway.transport.unread_data import read_unread_data
from gateway.transport.write_batch import WriteBatcher

HIGH_WATER = 262_144
"""Bytes of a streamed body that may wait in memory: as much as uvloop reads at once."""

_UNEXPECTED_DATA = "unexpected data on an idle connection"


class ConnectionOwner(Protocol):
    """The pool that a connection belongs to."""

    def release(self, connection: "Connection") -> None:
        """Take the connection back; its exchange has succeeded or failed."""

    def detach(self, connection: "Connection") -> None:
        """Free the slot of a connection in use: its exchange has become a stream."""

    def remove(self, connection: "Connection") -> None:
        """Free the slot of a connection in use: its socket belongs to another protocol now."""

    def connection_lost(self, connection: "Connection") -> None:
        """Forget the connection: its socket has closed. Called once."""


class Connection(asyncio.Protocol):
    """A socket and the exchange in flight on it; its errors are httpx's own.

    An exchange is whole (`send_request`) or streamed (`begin_stream`). `closed` is done when the
    socket has closed. The pool does not keep it idle for more than `keep_alive_seconds`, which the
    server has announced, and not at all after `retires_at`, a time of the loop.
    """

    # From SENDING on (see `ConnectionState`) an exchange belongs to one caller, in one of two ways:
    #
    #   begin_stream  `_stream` is the `Exchange`, which waits for `on_event`, takes the body piece
    #                 by piece, and releases the connection. Reading pauses above HIGH_WATER. A
    #                 simple response to a request that was written whole is the exception: the
    #                 connection releases itself, and passes it to `on_simple_response`.
    #   send_request  `_on_complete` is set until the exchange ends. `_complete`, `data_received`
    #                 or `abandon` clears it, and only the one that clears it releases. The owner
    #                 may reuse the connection inside `release`, before the callback runs:
    #                 after `release` no method may touch the state of the exchange that ended.
    #
    # Invariants:
    #   - An exchange ends once: its callback is called once, or never if it is abandoned.
    #   - `_on_complete` and `_stream` are never both set.
    #   - `_awaiting_first_byte` is the callback of the exchange whose request has been written
    #     and whose response has not begun. Bytes that arrive earlier were not sent in response
    #     to it: they close the connection, and no call receives them.
    #   - Until `has_first_byte`, the parser still holds the previous response: neither its head
    #     nor its body may be read.
    #   - Bytes beyond the end of a response, or on an idle connection, close it.
    #   - `_error` is the first reason for its end and is never replaced. It is raised as a new
    #     instance, because the traceback of one that was raised refers to this connection.
    #
    # A stale connection: a server may close a keep-alive connection just when the next request is
    # sent. An idempotent request may then be sent once more, over a new connection (RFC 9110,
    # 9.2.2), even if the server has carried it out already. It `is_retryable` only
    #   - if its method is idempotent and its body can be sent again,
    #   - if the connection has completed an exchange before: a new one that fails is not stale,
    #     so a retry is never retried,
    #   - if no byte of the response has arrived, and
    #   - if this side did not close the connection for a reason of its own, such as a timeout.

    _transport: asyncio.Transport

    def __init__(self, owner: ConnectionOwner, batcher: WriteBatcher) -> None:
        self._owner = owner
        self._batcher = batcher
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.parser = ResponseParser()
        self.deadline = LazyTimer(self._loop, self._on_deadline)
        self.keep_alive_seconds = self.retires_at = inf
        self._error: httpx.TransportError | None = None
        self._is_closed_locally = False
        self.is_writable = self._is_reading = True
        # The exchange in flight, or the last one.
        self._exchange_count = 0
        self._on_complete: OnComplete | None = None
        self._stream: ExchangeHandler | None = None
        self._awaiting_first_byte: OnComplete | None = None
        self._max_body_bytes = 0
        self._has_no_body = self.is_replayable = self.is_sending_body = False
        self.has_first_byte = self._is_fast_response = False

    def __repr__(self) -> str:
        """Show the state and the number of exchanges."""
        return f"<{type(self).__name__} {self.state.name} exchanges={self._exchange_count}>"

    @property
    def state(self) -> ConnectionState:
        """The current state; derived, so that no exchange pays for keeping it."""
        if not hasattr(self, "_transport"):
            return ConnectionState.CONNECTING
        return self._exchange_state() if self.is_open else ConnectionState.CLOSED

    def _exchange_state(self) -> ConnectionState:
        if self._is_fast_response or not self._exchange_count:
            return ConnectionState.IDLE
        if self.has_first_byte and self.parser.is_complete:
            return ConnectionState.COMPLETE if self.parser.pieces else ConnectionState.IDLE
        if self.has_first_byte:
            return ConnectionState.RECEIVING
        is_batched = self._on_complete is not None and self._awaiting_first_byte is None
        is_sending = is_batched or self.is_sending_body
        return ConnectionState.SENDING if is_sending else ConnectionState.AWAITING_FIRST_BYTE

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended it, as far as this side knows."""
        return self._error is None and not self._transport.is_closing()

    @property
    def is_complete(self) -> bool:
        """Whether all of the response has arrived."""
        return self._is_fast_response or (self.has_first_byte and self.parser.is_complete)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow.

        That is so if the connection is open, the request has been sent whole, the response has
        arrived whole, both sides keep the connection alive, and no other data has arrived.
        """
        transport = self._transport
        if self._error is not None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        if self._is_fast_response:
            return True
        is_whole = self.is_complete and self._is_reading and not self.is_sending_body
        return is_whole and self.parser.keeps_alive

    @property
    def is_retryable(self) -> bool:
        """Whether the failed request may be sent once more: the connection was stale."""
        return (
            self.is_replayable
            and self._exchange_count > 1
            and not (self.has_first_byte or self._error is None or self._is_closed_locally)
        )

    # `begin_stream` serves httpx and proxied routes, which stream bodies. `send_request` serves
    # typed clients, whose requests and responses are whole: it creates no object for the exchange.
    # Both must read the same bytes alike: tests/gateway/transport/test_connection.py compares them.

    def begin_stream(
        self,
        stream: ExchangeHandler,
        data: bytes,
        *,
        has_no_response_body: bool,
        is_replayable: bool,
        has_more: bool,
    ) -> None:
        """Begin a streamed exchange with the first bytes of its request; `has_more` follow.

        `is_replayable` says that `data` could be sent a second time, without a second effect.

        Raises:
            httpx.TransportError: the connection has ended; the caller must release it.
        """
        self._start_exchange(has_no_response_body, is_replayable, None)
        self._stream = stream
        self.is_sending_body = has_more
        self.parser.begin(has_no_body=has_no_response_body)
        if has_more:
            self._transport.write(data)
        else:
            self._batcher.add(self._write_stream, data)

    def send_request(
        self, data: bytes, method: str, ends_at: float, max_body_bytes: int, callback: OnComplete
    ) -> None:
        """Send a whole request; release the connection and call `callback` when it has ended.

        It ends with the response, an error, a body of more than `max_body_bytes`, or a ReadTimeout
        at `ends_at` on the loop's clock, whichever comes first.

        Raises:
            httpx.TransportError: the connection has ended; the caller must `abandon` it.
        """
        self._start_exchange(method == "HEAD", method in IDEMPOTENT, callback)
        self._max_body_bytes = max_body_bytes
        self.deadline.set(ends_at)
        self._batcher.add(self._write, data)

    def abandon(self, callback: OnComplete) -> None:
        """Release the connection without an outcome, unless `callback` has had one.

        In that case the connection may already serve another call.
        """
        if self._on_complete == callback:
            self._on_complete = self._awaiting_first_byte = None
            self._owner.release(self)

    def end_request(self) -> None:
        """Note that a streamed request has been sent whole."""
        self.is_sending_body = False
        if self._stream is not None and not self.has_first_byte:
            self._awaiting_first_byte = self._stream.on_simple_response

    def end_stream(self, stream: ExchangeHandler, *, is_upgraded: bool = False) -> None:
        """Release the connection after a streamed exchange; it is closed unless it is reusable."""
        if self._stream is not stream:
            return
        self._stream = self._awaiting_first_byte = None
        self.deadline.set(inf)
        if is_upgraded:
            self._forget()
        else:
            self._owner.release(self)

    def detach(self) -> None:
        """Give the slot in the pool up: the exchange has become a stream, and may take long."""
        self._owner.detach(self)

    def upgrade(
        self, stream: ExchangeHandler, protocol: asyncio.Protocol
    ) -> tuple[asyncio.Transport, bytes]:
        """Hand the socket to `protocol`, with the bytes after a 101; forget it here."""
        data = self.take_body()
        self._owner.remove(self)
        self.end_stream(stream, is_upgraded=True)
        self._transport.set_protocol(protocol)
        return self._transport, data

    def write(self, *data: bytes) -> None:
        """Write more of a streamed request; unlike joined bytes, a large piece is not copied."""
        if len(data) == 1:
            self._transport.write(data[0])
        else:
            self._transport.writelines(data)

    def take_body(self) -> bytes:
        """Return the bytes of the body that have arrived since the last call, and read on."""
        body = self.parser.take_body()
        if not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()
        return body

    def abort(self) -> None:
        """Close the socket at once; an exchange in flight fails."""
        self._awaiting_first_byte = None
        if self._error is None:
            self._error = httpx.ReadError("connection closed by this side")
            self._is_closed_locally = True
        self._transport.abort()

    def _start_exchange(
        self, has_no_body: bool, is_replayable: bool, callback: OnComplete | None
    ) -> None:
        self._exchange_count += 1
        self.has_first_byte = self._is_fast_response = False
        self._has_no_body, self.is_replayable = has_no_body, is_replayable
        self._on_complete = callback
        self.raise_error()

    def _write_stream(self, data: bytes) -> None:
        """Write a streamed request of the batch, unless the exchange has ended in the meantime."""
        if self._error is None and self._stream is not None:
            self._awaiting_first_byte = self._stream.on_simple_response
            self._transport.write(data)

    def _write(self, data: bytes) -> None:
        """Write a request of the batch, unless the connection has ended in the meantime."""
        if self._error is None:
            self._awaiting_first_byte = self._on_complete
            self._transport.write(data)

    def store_keep_alive(self, fields: Fields) -> None:
        """Note for how long the server keeps the connection open."""
        if self._exchange_count == 1:  # a server repeats it in each response
            self.keep_alive_seconds = find_keep_alive_seconds(fields)

    def raise_error(self) -> None:
        """Raise the reason why the connection has ended, unless it is open."""
        if self._error is not None:
            # A new instance: the traceback would refer to this connection, which refers to it.
            raise type(self._error)(str(self._error)) from self._error.__cause__

    def _notify(self) -> None:
        """Report an event to the owner of the exchange: its callback or its `Exchange`."""
        if self._on_complete is not None:
            self._deliver_if_enough()
        elif self._stream is not None:
            self._stream.on_event()

    def _deliver_if_enough(self) -> None:
        """End an exchange of `send_request` once it has failed, or enough of it has arrived."""
        parser, error = self.parser, self._error
        head = parser.head if self.has_first_byte else None
        if head is None:
            if error is not None:
                self._complete(error)
            return
        self.store_keep_alive(head.fields)
        is_complete = parser.is_complete
        response = RawResponse(
            head.status, head.selected, error=None if is_complete else error, head=head.fields
        )
        if (
            is_complete
            or error is not None
            or parser.buffered > response.max_body_to_read(self._max_body_bytes)
        ):
            self._complete(response._replace(body=self.take_body()))

    def _complete(self, outcome: RawResponse | httpx.TransportError) -> None:
        """End an exchange of `send_request`, unless it has ended already."""
        callback = self._on_complete
        self._on_complete = self._awaiting_first_byte = None
        if callback is not None:
            is_retryable = self.is_retryable  # read first: `release` may start the next exchange
            self._owner.release(self)
            callback(outcome, is_retryable)

    def _on_deadline(self) -> None:
        """End the exchange in flight, but let a response that has arrived complete it first."""
        if self._on_complete is not None or self._stream is not None:
            AfterPendingIo(self._loop, self._time_out, self._exchange_count)

    def _time_out(self, exchange_number: int) -> None:
        if exchange_number != self._exchange_count:
            return
        if self._stream is not None:
            self._stream.on_deadline()
        else:
            self._complete(httpx.ReadTimeout("no complete response before the call's deadline"))

    def _fail(self, cause: Exception | None = None) -> None:
        """End the exchange: the socket has closed, for `cause` if there is no earlier reason."""
        if self._error is None:
            is_plain = self._transport.get_extra_info("ssl_object") is None
            parser = self.parser if self.has_first_byte else None
            may_need_tls = is_plain and self._exchange_count == 1
            self._error = build_end_error(cause, parser, may_need_tls=may_need_tls)
        self.parser.close()
        self._notify()

    def _forget(self) -> None:
        """Leave the pool: the socket has closed, or belongs to another protocol."""
        self.deadline.stop()
        if not self.closed.done():
            self.closed.set_result(None)
        self._owner.connection_lost(self)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        # Three cases: a response to `send_request` that is simple and whole in one segment, which
        # is nearly every one; the first segment of any other such response; and all other data.
        callback, self._awaiting_first_byte = self._awaiting_first_byte, None
        if callback is None:
            self._receive_other(data)
        elif not self._has_no_body and (response := parse_simple_response(data)):
            # The same as `_complete`, in fewer steps.
            self.has_first_byte = self._is_fast_response = True
            self._on_complete = self._stream = None
            if self._exchange_count == 1:
                self.store_keep_alive(response.headers.raw)
            self._owner.release(self)
            callback(response, False)
        else:
            if self._stream is None:
                self.parser.begin(has_no_body=self._has_no_body)
            self._parse(data)

    def _receive_other(self, data: bytes) -> None:
        """Parse a later segment of a response, or one of `exchange`; refuse unexpected data."""
        # A request in the write batch has not been sent, so that nothing can respond to it yet.
        is_too_early = self._on_complete is not None and not self.has_first_byte
        if self._is_fast_response or is_too_early or self._error is not None:
            self._error = self._error or httpx.RemoteProtocolError(_UNEXPECTED_DATA)
            self.abort()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        if self.parser.is_complete:
            self.abort()  # data beyond the end of the response
            return
        self.has_first_byte = True
        try:
            self.parser.feed(data)
        except MalformedResponse as exc:
            self._error = build_malformed_error(exc, data)
            self.abort()
        if self.parser.buffered > HIGH_WATER and self._on_complete is None and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()
        self._notify()

    def eof_received(self) -> None:
        # The end of the connection may be the end of the response. Over TLS, uvloop calls this only
        # after a close_notify alert, which an attacker who cuts the connection cannot send
        # (RFC 9112, 9.8).
        self.parser.feed_eof()
        self._fail()
        # Not `close`: with a server that has stopped reading, that would wait for the buffer.
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        is_unfinished = self._stream is not None and not self.is_complete
        if exc is not None and self._error is None and is_unfinished:
            data = read_unread_data(self._transport)
            if data:
                self.data_received(data)
        self._forget()
        self._fail(exc)

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self._notify()
