"""The socket of a connection to a service, its state, and the streamed exchanges on it."""

import asyncio
from math import inf

import httpx

from gateway.http1_grammar import Fields
from gateway.kernel_buffer import count_bytes_in_kernel
from gateway.transport.connection_state import ConnectionState
from gateway.transport.deadline_timer import LazyTimer
from gateway.transport.exchange_handler import ExchangeHandler
from gateway.transport.keep_alive_field import find_keep_alive_seconds
from gateway.transport.raw_response import OnComplete
from gateway.transport.response_parser import ResponseParser
from gateway.transport.write_batch import WriteBatcher

LARGE_BYTES = 65_536
"""A larger request is written at once, because it may fill the write buffer: see `drain`."""


class BaseConnection(asyncio.Protocol):
    """What every exchange needs; `Connection` adds the whole ones, and reads from the socket."""

    # `Connection` states the cases and the invariants.

    _transport: asyncio.Transport

    def __init__(self, batcher: WriteBatcher) -> None:
        self._batcher = batcher
        # Kept here: looking up the running loop is a system call in Python 3.11.
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.parser = ResponseParser()
        self.deadline = LazyTimer(self.loop, self._on_deadline)
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
    def unacknowledged_bytes(self) -> int:
        """Bytes that the server has not taken: in the write buffer, and in that of the kernel."""
        return self._transport.get_write_buffer_size() + count_bytes_in_kernel(self._transport)

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
            httpx.TransportError: the connection has ended; the caller must end the exchange.
        """
        self._stream = stream  # first, so that `end_stream` releases the connection in any case
        self._start_exchange(has_no_response_body, is_replayable, None)
        self.is_sending_body = has_more
        self.parser.begin(has_no_body=has_no_response_body)
        if has_more:
            self._transport.write(data)
        elif len(data) > LARGE_BYTES:
            self._write_stream(data)
        else:
            self._batcher.add(self._write_stream, data)

    def end_request(self) -> None:
        """Note that a streamed request has been sent whole."""
        self.is_sending_body = False
        if self._stream is not None and not self.has_first_byte:
            self._awaiting_first_byte = self._stream.on_simple_response

    def write(self, *data: bytes) -> None:
        """Write more of a streamed request; unlike joined bytes, a large piece is not copied."""
        for piece in data:  # not `writelines`: see `FlowControl.write_pieces`
            self._transport.write(piece)

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
        """Write a whole request, unless the exchange has ended since it was added to the batch."""
        if self._error is None and self._stream is not None:
            self._awaiting_first_byte = self._stream.on_simple_response
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

    def _on_deadline(self) -> None:
        """End the exchange in flight at its deadline."""
        raise NotImplementedError
