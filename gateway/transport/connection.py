"""One HTTP/1.1 connection: a request out, a response in, then perhaps another."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol, cast

import httpx

from gateway.transport.fast_response import parse_simple_response
from gateway.transport.raw_response import OnComplete, RawResponse
from gateway.transport.request_writer import IDEMPOTENT, SerializedRequest
from gateway.transport.response_parser import MalformedResponse, ResponseHead, ResponseParser
from gateway.transport.timeouts import GRACE_SECONDS, Timeouts
from gateway.transport.timer import LazyTimer
from gateway.transport.waiter import Waiter
from gateway.transport.write_batch import WriteBatcher

HIGH_WATER = 65_536


class ConnectionOwner(Protocol):
    """Where a connection belongs."""

    def release(self, connection: "Connection") -> None:
        """Take it back from who had it."""

    def lost(self, connection: "Connection") -> None:
        """Hear, once, that its socket is gone."""


class Connection(asyncio.Protocol):
    """A socket and the exchange going on over it; its errors are httpx's own.

    After `exchange` the caller releases the connection. After `send_request` it releases itself,
    and nothing else may release it. `closed` is done when the socket is gone.
    """

    def __init__(self, home: ConnectionOwner, outbox: WriteBatcher) -> None:
        self._home = home
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._parser = ResponseParser()
        self._bell = Waiter(self._loop)
        self._error: httpx.TransportError | None = None
        self._writable = self._reading = True
        self._asker: OnComplete | None = None
        # The same, from when the request has left until the first byte of its answer.
        self._due: OnComplete | None = None
        self._most = 0
        self._alarm = LazyTimer(self._loop, self._expire)
        self._exchanges = 0
        self._answered = self._glanced = self._closed_here = False
        self._unsent = self._bodiless = self._replayable = False

    @property
    def open(self) -> bool:
        """Neither side has ended it, as far as is known here."""
        return self._error is None and not self._transport.is_closing()

    @property
    def complete(self) -> bool:
        """All of the response has come."""
        return self._glanced or (self._answered and self._parser.complete)

    @property
    def reusable(self) -> bool:
        """Both messages went over it whole, nothing else did, and it stays open."""
        transport = self._transport
        if self._error is not None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        if self._glanced:
            return True
        is_whole = self.complete and self._reading and not self._unsent
        return is_whole and self._parser.keeps_alive

    @property
    def may_ask_again(self) -> bool:
        """Whether its request may be sent once more, over a fresh connection.

        It may if that is safe to do, and this one had served before and turns out to be closed by
        the server (RFC 9110, 9.2.2). A fresh one never does: there is no third time.
        """
        return (
            self._replayable
            and self._exchanges > 1
            and not (self._answered or self._error is None or self._closed_here)
        )

    async def exchange(self, message: SerializedRequest, waits: Timeouts) -> ResponseHead:
        """Send a request and wait for the head of its response.

        Raises:
            httpx.TransportError: what went wrong; the connection is then of no more use.
        """
        self._begin(message.bodiless, message.replayable)
        self._parser.begin(bodiless=message.bodiless)
        if isinstance(message.body, bytes):
            self._transport.write(message.head + message.body)
        else:
            await self._stream(message.head, message.body, waits)
        await self._flush(waits)
        while self._parser.head is None:
            self._raise_lost()
            await self._bell.heard(waits.read, httpx.ReadTimeout)
        return self._parser.head

    def send_request(
        self, data: bytes, method: str, ends_at: float, max_body_bytes: int, callback: OnComplete
    ) -> None:
        """Send a whole request, go home when all of its response is there, and tell `callback`.

        That is its end, what cut it off, or more of a body than `max_body_bytes`; at the latest
        at `ends_at` on the loop's clock.

        Raises:
            httpx.TransportError: the connection has ended; it is then to be abandoned.
        """
        self._begin(method == "HEAD", method in IDEMPOTENT, callback)
        self._most = max_body_bytes
        self._alarm.set(ends_at)
        self._outbox.put(self._write, data)

    def abandon(self, callback: OnComplete) -> None:
        """Go home, if it is still `callback` who waits: somebody else may be asking by now."""
        if self._asker == callback:
            self._asker = self._due = None
            self._home.release(self)

    async def receive(self, read_timeout: float | None) -> bytes | None:
        """What has come of the body, waiting for some if need be; None at its end.

        Raises:
            httpx.TransportError: it broke off.
        """
        while not self._parser.pieces:
            if self._parser.complete:
                return None
            self._raise_lost()
            await self._bell.heard(read_timeout, httpx.ReadTimeout)
        return self.take()

    def take(self) -> bytes:
        """What has come of the body since it was taken last."""
        taken = self._parser.take()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        return taken

    def abort(self) -> None:
        """Close the socket at once, whatever is going on."""
        self._due = None
        if self._error is None:
            self._error = httpx.ReadError("closed on this side")
            self._closed_here = True
        self._transport.abort()

    def _begin(self, bodiless: bool, replayable: bool, asker: OnComplete | None = None) -> None:
        self._exchanges += 1
        self._answered = self._glanced = False
        self._bodiless, self._replayable = bodiless, replayable
        self._asker = asker
        self._raise_lost()

    def _write(self, data: bytes) -> None:
        if self._error is None:
            self._due = self._asker
            self._transport.write(data)

    async def _stream(
        self, head: bytes, body: AsyncGenerator[bytes, None], waits: Timeouts
    ) -> None:
        self._unsent = True
        self._transport.write(head)
        async with aclosing(body) as pieces:
            async for piece in pieces:
                if self._answered or not self.open:
                    return
                self._transport.write(piece)
                await self._flush(waits)
        self._unsent = False

    async def _flush(self, waits: Timeouts) -> None:
        """Wait until more may be written, or nobody wants it any longer."""
        while not (self._writable or self._answered) and self.open:
            await self._bell.heard(waits.write, httpx.WriteTimeout)

    def _raise_lost(self) -> None:
        if self._error is not None:
            # Anew: its trace would hold this connection, which holds it.
            raise type(self._error)(str(self._error))

    def _wake(self) -> None:
        """Something happened: tell who waits, for anything or for all of the response."""
        if self._asker is not None:
            self._reply_in_parts()
        else:
            self._bell.ring()

    def _reply_in_parts(self) -> None:
        """Tell who asked, once what has come of the response is as much as is wanted."""
        parser, error = self._parser, self._error
        # Until the first byte has come, what the parser holds is the answer before.
        head = parser.head if self._answered else None
        if head is None:
            if error is not None:
                self._land(error)
            return
        cut = None if parser.complete else error
        reply = RawResponse(head.status, head.selected, error=cut, head=head.fields)
        is_enough = parser.buffered > reply.max_body_to_read(self._most)
        if parser.complete or error is not None or is_enough:
            self._land(reply._replace(body=self.take()))

    def _land(self, outcome: RawResponse | httpx.TransportError) -> None:
        landed = self._asker
        self._asker = self._due = None
        if landed is not None:
            may_ask_again = self.may_ask_again
            self._home.release(self)
            landed(outcome, may_ask_again)

    def _expire(self) -> None:
        """Give up, but for what the loop may have had no time to read (see `waits.expire`)."""
        if self._asker is not None:
            self._loop.call_later(GRACE_SECONDS, self._give_up, self._exchanges)

    def _give_up(self, exchange: int) -> None:
        if exchange == self._exchanges:
            self._land(httpx.ReadTimeout("not in time"))

    def _end(self, error: httpx.TransportError) -> None:
        """The socket has ended, for this reason if there was none before."""
        self._error = self._error or error
        self._parser.close()
        self._wake()

    # What follows is called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        due, self._due = self._due, None
        if due is None:
            self._continue(data)
        elif not self._bodiless and (reply := parse_simple_response(data)):
            # As `_land` does, in fewer steps: most answers come this way.
            self._answered = self._glanced = True
            self._asker = None
            self._home.release(self)
            due(reply, False)
        else:
            self._parser.begin(bodiless=self._bodiless)
            self._feed(data)

    def _continue(self, data: bytes) -> None:
        """Take what is not the beginning of an answer to `send_request`."""
        too_early = self._asker is not None and not self._answered
        if self._glanced or too_early or self._error is not None:
            self._error = self._error or httpx.RemoteProtocolError("an answer to nothing")
            self.abort()
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self._parser.complete:
            self.abort()
            return
        self._answered = True
        try:
            self._parser.feed(data)
        except MalformedResponse as exc:
            self._error = httpx.RemoteProtocolError(str(exc))
            self.abort()
        if self._asker is None and self._reading and self._parser.buffered > HIGH_WATER:
            self._reading = False
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        # An answer may be whole by that. Over TLS it comes only when the server has said so: a
        # connection that anybody could have cut ends without it (RFC 9112, 9.8).
        self._parser.end()
        self._end(httpx.RemoteProtocolError("the server closed the connection"))
        # Aborted, not closed: a server that has stopped reading would keep a flush waiting.
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._alarm.stop()
        if not self.closed.done():
            self.closed.set_result(None)
        self._home.lost(self)
        if exc is None:
            self._end(httpx.RemoteProtocolError("the connection was cut"))
        else:
            self._end(httpx.ReadError(type(exc).__name__))

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake()
