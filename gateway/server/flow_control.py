"""Flow control of one connection: backpressure in both directions, and how it is closed."""

import asyncio
from collections.abc import Iterable

from gateway.kernel_buffer import count_bytes_in_kernel
from gateway.server.paused_connection_watch import PausedConnectionWatch
from gateway.server.socket_state import reset_on_close


class FlowControl:
    """The transport of a connection, paused and resumed in both directions.

    Invariants:
    - Nothing is written once `is_closing`.
    - `is_half_closed` implies `is_closing`: our side of the stream has ended, and the client may
      still read what was sent before it closes its own.
    - Nothing is read while `is_pipeline_full`: pipelined requests hold too many bytes.
    - When not `can_linger` (the server shuts down), no connection is half closed: it is closed.
    """

    def __init__(self, transport: asyncio.Transport, watch: PausedConnectionWatch) -> None:
        self.is_pipeline_full = self.is_closing = self.is_half_closed = False
        self.can_linger = True
        self._transport = transport
        self._watch = watch
        self._is_reading = True
        self._unread_bytes = 0
        self._writable: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        if self.is_half_closed:
            state = "half closed"
        elif self.is_closing:
            state = "closing"
        else:
            state = "open"
        reading = "reading" if self._is_reading else "reading paused"
        return f"<FlowControl {state}, {reading}, {self.unsent_bytes} bytes unsent>"

    @property
    def is_write_paused(self) -> bool:
        """Whether the send buffer is full, because the client reads slowly."""
        return self._writable is not None

    @property
    def is_reading(self) -> bool:
        """Whether the transport reads from the socket."""
        return self._is_reading

    @property
    def unsent_bytes(self) -> int:
        """Bytes in the send buffer."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Add `data` to the send buffer."""
        if data:
            self._transport.write(data)

    def write_pieces(self, pieces: Iterable[bytes]) -> None:
        """Add pieces to the send buffer; uvloop sends them together, without a copy."""
        # Not `writelines`: in asyncio up to Python 3.12.8 and 3.13.1, it never pauses writing
        # (CVE-2024-12254).
        for piece in pieces:
            self.write(piece)

    def close(self, *, is_truncated: bool = False) -> None:
        """Close the connection once the send buffer is empty.

        A response that `is_truncated` would look complete: the connection is reset instead.
        """
        if is_truncated:
            self.reset()
        if self.is_closing and not self.is_half_closed:
            return
        self.is_closing = True
        self._transport.close()

    def half_close(self) -> None:
        """End our side of the stream, and read on until the client closes its side.

        Closing a connection whose client still sends would reset it, and the client would lose
        the rest of the response (RFC 9112, 9.6).
        """
        if self.is_closing:
            return
        if not (self.can_linger and self._transport.can_write_eof()):
            self.close()
            return
        self.is_closing, self.is_half_closed, self.is_pipeline_full = True, True, False
        self.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # raised by asyncio itself: the client has just disconnected
            self.abort()

    def abort(self, *, is_truncated: bool = False) -> None:
        """Close the connection at once; reset it if that drops a part of a response."""
        if is_truncated or self.unsent_bytes:
            reset_on_close(self._transport)
        self.is_closing = True
        self._transport.abort()

    def reset(self) -> None:
        """Reset the connection at once: the client gets an error, not the end of the stream."""
        reset_on_close(self._transport)
        self.is_closing = True
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading: data from the client stays in the buffer of the kernel."""
        if self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()
            self._watch.add(self._transport)

    def resume_reading(self) -> None:
        """Read again, unless pipelined requests hold too many bytes."""
        if not (self._is_reading or self.is_pipeline_full):
            self._is_reading = True
            self._watch.discard(self._transport)
            self._transport.resume_reading()

    def connection_lost(self) -> None:
        """Note that the connection is lost: nothing is written, and nothing waits for it."""
        self.is_closing = True
        self._watch.discard(self._transport)
        self.resume_writing()

    def pause_writing(self) -> None:
        """Note that the send buffer is full."""
        self._unread_bytes = self._count_unread_bytes()
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that the send buffer has room again, or that the connection is lost."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def has_read(self, count: float) -> bool:
        """Whether the client has received so many bytes since the last look at it."""
        before, self._unread_bytes = self._unread_bytes, self._count_unread_bytes()
        return before - self._unread_bytes >= count

    def is_being_read(self, count: float) -> bool:
        """Whether the client has received so many bytes, or this is the first look at it.

        While writing is paused, the caller of `has_read` decides.
        """
        if self.is_write_paused:
            return True
        is_first = not self._unread_bytes
        return self.has_read(count) or (is_first and self._unread_bytes > 0)

    def _count_unread_bytes(self) -> int:
        return self.unsent_bytes + count_bytes_in_kernel(self._transport)

    async def drain(self) -> None:
        """Wait until the send buffer has room."""
        while self._writable is not None:
            await asyncio.shield(self._writable)
