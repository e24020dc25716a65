"""One HTTP/1.1 connection: its socket, and the exchanges on it, one after the other."""

import asyncio
from math import inf
from typing import Protocol, cast

import httpx

from gateway.pending_io import AfterPendingIo
from gateway.transport.base_connection import BaseConnection
from gateway.transport.connection_end import build_end_error, build_malformed_error
from gateway.transport.exchange_handler import ExchangeHandler
from gateway.transport.fast_response import parse_simple_response
from gateway.transport.raw_response import OnComplete, RawResponse
from gateway.transport.request_writer import IDEMPOTENT
from gateway.transport.response_parser import MalformedResponse
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


class Connection(BaseConnection):
    """A socket and the exchange in flight on it; its errors are httpx's own.

    An exchange is whole (`send_request`) or streamed (`BaseConnection.begin_stream`). `closed` is
    done when the socket has closed. The pool does not keep it idle for more than
    `keep_alive_seconds`, which the server has announced, and not at all after `retires_at`, a time
    of the loop.
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

    def __init__(self, owner: ConnectionOwner, batcher: WriteBatcher) -> None:
        super().__init__(batcher)
        self._owner = owner

    # `begin_stream` serves httpx and proxied routes, which stream bodies. `send_request` serves
    # typed clients, whose requests and responses are whole: it creates no object for the exchange.
    # Both must read the same bytes alike: tests/gateway/transport/test_connection.py compares them.

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

    def _write(self, data: bytes) -> None:
        """Write a request of the batch, unless the connection has ended in the meantime."""
        if self._error is None:
            self._awaiting_first_byte = self._on_complete
            self._transport.write(data)

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
            AfterPendingIo(self.loop, self._time_out, self._exchange_count)

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
        """Parse a later segment of a response, or any of a stream; refuse unexpected data."""
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
