"""A streamed exchange on a connection: the bodies of request and response flow at the same time."""

import asyncio
from enum import Enum
from math import inf

import httpx

from gateway.http1_grammar import FieldList
from gateway.transport.connection import Connection
from gateway.transport.deadline_timer import Waiter
from gateway.transport.raw_response import Outcome, RawResponse
from gateway.transport.response_parser import ResponseHead


class ExchangeState(Enum):
    """The progress of a streamed exchange; derived for `repr` and tests, never stored."""

    SENDING = "sending"  # the body of the request is incomplete; a response may have begun
    AWAITING_HEAD = "awaiting head"  # the request is complete
    RECEIVING = "receiving"  # the head of the response has arrived
    COMPLETE = "complete"  # the response has arrived whole
    FAILED = "failed"  # a deadline passed, or one of the two tasks failed
    CLOSED = "closed"  # the connection is the pool's again, or closed


class Exchange:
    """One request and its response on a connection of the pool, which `close` gives back.

    Two tasks may use it at once: one sends the request (`write`, `end_request`), and one receives
    the response (`receive_head`, `receive_body`). The errors are httpx's own.
    """

    # Invariants:
    #   - The connection is released once: by itself with a simple response (`_simple_response`),
    #     else by `close`. After that, nothing of the connection or its parser is read.
    #   - `_error` is the first failure on this side: a deadline that passed, or the reason that a
    #     task gave to `fail`. Both tasks get it, and the connection is not used again.
    #   - At most one task waits at `_receiver`, and at most one at `_sender`; they are the same
    #     object unless the request has a body, which another task may send.

    __slots__ = (
        "_connection", "_ends_at", "_error", "_idle_seconds", "_is_closed", "_loop", "_parser",
        "_receiver", "_sender", "_simple_response", "_taken_bytes", "_written_bytes",
    )  # fmt: skip

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parser = connection.parser
        self._loop = connection.loop
        self._receiver = Waiter(self._loop)
        self._sender = self._receiver
        self._simple_response: RawResponse | None = None
        self._error: Exception | None = None
        self._ends_at = inf
        self._idle_seconds = 0.0
        self._written_bytes = self._taken_bytes = 0
        self._is_closed = False

    def __repr__(self) -> str:
        """Show the state."""
        return f"<{type(self).__name__} {self.state.value}>"

    @property
    def state(self) -> ExchangeState:
        """The progress of the exchange."""
        if self._is_closed:
            return ExchangeState.CLOSED
        if self._error is not None or not self._connection.is_open:
            return ExchangeState.FAILED
        if self._connection.is_complete:
            return ExchangeState.COMPLETE
        if self._connection.is_sending_body:
            return ExchangeState.SENDING
        return ExchangeState.RECEIVING if self.has_head else ExchangeState.AWAITING_HEAD

    @property
    def is_complete(self) -> bool:
        """Whether all of the response has arrived."""
        return self._is_closed or self._connection.is_complete

    @property
    def has_head(self) -> bool:
        """Whether the head of the final response has arrived; an interim one does not count."""
        return self._is_closed or self._parser.head is not None

    @property
    def is_retryable(self) -> bool:
        """Whether the failed request may be sent once more: the connection was stale."""
        return self._error is None and self._connection.is_retryable

    @property
    def trailers(self) -> FieldList:
        """The trailer fields of a complete response with a chunked body."""
        return [] if self._simple_response is not None else self._parser.trailers

    # The request.

    def begin(
        self,
        data: bytes,
        *,
        is_head: bool = False,
        is_replayable: bool = False,
        has_more: bool = False,
    ) -> None:
        """Send the first bytes of a request: its head, and its body unless that `has_more`.

        `is_head` is for the method HEAD. `is_replayable` says that the request may be sent a second
        time, as long as no more of it has been written.

        Raises:
            httpx.TransportError: the connection has ended.
        """
        if has_more:
            self._sender = Waiter(self._loop)
        self._connection.begin_stream(
            self,
            data,
            has_no_response_body=is_head,
            is_replayable=is_replayable,
            has_more=has_more,
        )

    def collect_interim(self, *, can_upgrade: bool = False) -> None:
        """Let `receive_head` return interim responses (1xx) too, and a 101 if it `can_upgrade`."""
        self._parser.collect_interim(can_upgrade=can_upgrade)

    async def write(self, *data: bytes, seconds: float | None = None) -> bool:
        """Send more of the request; wait while the write buffer is full, until the response ends.

        Return False, without sending, once the response is complete: no more may follow then, and
        the request has no end (`end_request`).

        Raises:
            httpx.TransportError: the connection has ended.
            httpx.WriteTimeout: the service did not take data for `seconds`.
        """
        if self.is_complete:
            return False
        self._raise_error()
        self._connection.is_replayable = False
        self._connection.write(*data)
        self._written_bytes += sum(map(len, data))
        if not self._connection.is_writable:
            self._taken_bytes = self._count_taken_bytes()
        while not (self.is_complete or self._connection.is_writable):
            await self._wait_for_service(seconds)
        return True

    async def drain(self, seconds: float | None = None) -> None:
        """Wait until the write buffer has room, or the head of the response has arrived.

        Raises: the same errors as `write`.
        """
        while not (self.has_head or self._connection.is_writable):
            await self._wait_for_service(seconds)

    async def _wait_for_service(self, seconds: float | None) -> None:
        self._raise_error()
        await self._sender.wait(seconds, httpx.WriteTimeout)

    def end_request(self) -> None:
        """Note that the request has been sent whole."""
        if not self._is_closed:
            self._connection.end_request()

    # The response.

    async def receive_head(self, seconds: float | None = None) -> ResponseHead | RawResponse:
        """Wait for the head of the response; a response that arrived in one piece comes whole.

        Raises:
            httpx.TransportError: the exchange failed; the connection cannot be used again.
            httpx.ReadTimeout: nothing arrived for `seconds`, or the deadline passed.
        """
        parser = self._parser
        while self._simple_response is None:
            if parser.interim:
                return parser.interim.popleft()
            if parser.head is not None:
                self._connection.store_keep_alive(parser.head.fields)
                return parser.head
            self._raise_error()
            await self._receiver.wait(seconds, httpx.ReadTimeout)
        return self._simple_response

    async def receive_body(self, seconds: float | None = None) -> bytes | None:
        """Return the next bytes of the body, and wait if none has arrived; None at its end.

        Raises:
            httpx.TransportError: the connection ended first.
            httpx.ReadTimeout: nothing arrived for `seconds`, or the deadline passed.
        """
        parser = self._parser
        while not parser.pieces:
            if parser.is_complete:
                return None
            self._raise_error()
            await self._receiver.wait(seconds, httpx.ReadTimeout)
        return self._connection.take_body()

    def take_body(self) -> bytes:
        """Return the bytes of the body that have arrived since the last call."""
        return self._connection.take_body()

    # Its end.

    def set_deadline(self, at: float) -> None:
        """Fail the exchange at `at`, a time of the loop's clock, instead of at the time before."""
        self._idle_seconds = 0.0
        self._move_deadline(at)

    def set_idle_timeout(self, seconds: float) -> None:
        """Fail the exchange after `seconds`, instead of at the time before.

        While `write` waits, the service has `seconds` more as long as it takes bytes.
        """
        self._idle_seconds = seconds
        self._move_deadline(self._loop.time() + seconds)

    def _move_deadline(self, at: float) -> None:
        self._ends_at = at
        if not self._is_closed:
            self._connection.deadline.set(at)

    def fail(self, error: Exception) -> None:
        """Fail the exchange for a reason on this side; the first reason counts."""
        if self._error is None and not self._is_closed:
            self._error = error
            self._notify()

    def detach(self) -> None:
        """Give up the slot of the connection in the pool: the exchange has become a stream."""
        if not self._is_closed:
            self._connection.detach()

    def upgrade(self, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, bytes]:
        """After a 101, hand the socket to `protocol`; return it with the bytes that have arrived.

        The connection leaves the pool; the caller closes the socket.
        """
        self._is_closed = True
        return self._connection.upgrade(self, protocol)

    def close(self) -> None:
        """Give the connection back to the pool, which closes it unless the exchange is complete."""
        if not self._is_closed:
            self._is_closed = True
            if self._error is not None:
                self._connection.abort()
            self._connection.end_stream(self)
            self._notify()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        self._connection.raise_error()

    def _notify(self) -> None:
        self._receiver.notify()
        if self._sender is not self._receiver:
            self._sender.notify()

    # Called by the connection.

    def on_simple_response(self, response: Outcome, is_retryable: bool) -> None:
        """Take a whole response; the connection has been released."""
        assert isinstance(response, RawResponse)  # noqa: S101 - failures come by `on_event`
        self._simple_response, self._is_closed = response, True
        self._notify()

    def on_event(self) -> None:
        """Wake the tasks that wait."""
        self._notify()

    def on_deadline(self) -> None:
        """Fail the exchange, unless its deadline has been set anew."""
        if self._loop.time() < self._ends_at:
            return
        if self._idle_seconds and self._is_being_taken():
            self.set_idle_timeout(self._idle_seconds)
        else:
            self.fail(httpx.ReadTimeout("the deadline of the exchange passed"))

    def _is_being_taken(self) -> bool:
        """Whether `write` waits, and the service has taken bytes since the last look at it."""
        if self._is_closed or self._connection.is_writable:
            return False
        before, self._taken_bytes = self._taken_bytes, self._count_taken_bytes()
        return self._taken_bytes > before

    def _count_taken_bytes(self) -> int:
        """Count the bytes of `write` that the service has acknowledged."""
        return self._written_bytes - self._connection.unacknowledged_bytes
