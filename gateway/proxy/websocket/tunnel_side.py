"""One side of a tunnel: the connection of the caller, or that to the service."""

import asyncio
from contextlib import suppress
from typing import Protocol, cast

from gateway.proxy.websocket.close_frame import CloseCode, build_close_frame
from gateway.proxy.websocket.frame_reader import FrameReader


class TunnelEvents(Protocol):
    """The tunnel, as its sides report to it."""

    def note_activity(self) -> None:
        """Note that bytes have arrived."""

    def on_close_frame(self, side: "TunnelSide") -> None:
        """Note that a side has sent a close frame."""

    def on_violation(self, side: "TunnelSide") -> None:
        """Note that a side has sent a frame that is not allowed."""

    def on_lost(self, side: "TunnelSide") -> None:
        """Note that the connection of a side has ended."""


class ReadControl(Protocol):
    """What pauses and resumes reading: a transport, or for the caller the `Upgrade`."""

    def pause_reading(self) -> None:
        """Read no more."""

    def resume_reading(self) -> None:
        """Read again."""


class TunnelSide(asyncio.Protocol):
    """Passes the bytes that arrive here on to its `peer`, as fast as that takes them.

    `is_client` says which role the other end of this connection has: the caller is a client, and
    the service is a server.
    """

    # Invariants, where "sent" is what the gateway has written to this side:
    # - Nothing is sent after a close frame (`is_close_sent`), be it the peer's or the gateway's.
    # - A close frame of the gateway is sent between two frames only: `_pending_close` holds it
    #   while the peer is within a frame.
    # - `_transport` is None before the connection is made, and once it `is_lost`.
    # - This side is read from (`update_reading`) only if the peer takes what arrives, or if it is
    #   dropped; so a side that does not read stops the other one until the end, also while the
    #   tunnel is closing. It is not read from while the reader has more frames to read.

    __slots__ = (
        "_is_write_paused", "_pending_close", "_transport", "_tunnel", "is_client",
        "is_close_sent", "is_lost", "peer", "reader", "reading", "received_bytes",
    )  # fmt: skip

    peer: "TunnelSide"

    def __init__(self, tunnel: TunnelEvents, *, is_client: bool, reserved_bits: int) -> None:
        self.is_client = is_client
        self.reader = FrameReader(is_masked=is_client, reserved_bits=reserved_bits)
        self.received_bytes = 0
        self.is_close_sent = self.is_lost = self._is_write_paused = False
        self._pending_close: bytes | None = None
        self._tunnel = tunnel
        self._transport: asyncio.Transport | None = None
        self.reading: ReadControl | None = None

    def __repr__(self) -> str:
        """Show the role and what has been closed."""
        state = "lost" if self.is_lost else "close sent" if self.is_close_sent else "open"
        return f"<{type(self).__name__} {'caller' if self.is_client else 'service'} {state}>"

    @property
    def is_close_received(self) -> bool:
        """Whether this side has sent a close frame."""
        return self.reader.close_code is not None

    # Called by the tunnel.

    def send_close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame, as soon as the frame that is being sent is complete."""
        if self.is_close_sent or self.is_lost or self._pending_close is not None:
            return
        self._pending_close = build_close_frame(code, reason, is_masked=not self.is_client)
        if not self.peer.reader.remaining:
            self._send_pending_close()

    def disconnect(self) -> None:
        """Close the connection once all has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Leave what arrives in the buffer of the kernel."""
        if (reading := self._find_read_control()) is not None:
            reading.pause_reading()

    def update_reading(self) -> None:
        """Read from the connection, unless what arrives would have to wait in memory."""
        peer, reader = self.peer, self.reader
        is_dropped = peer.is_close_sent or reader.has_ended
        is_stopped = peer._is_write_paused and not is_dropped  # noqa: SLF001 - of the same class
        if reader.has_more or is_stopped:
            self.pause_reading()
        elif (reading := self._find_read_control()) is not None:
            reading.resume_reading()

    def _find_read_control(self) -> ReadControl | None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return None
        return self.reading or transport

    def release(self) -> None:
        """Break reference cycles: the tunnel has ended."""
        del self._tunnel, self.peer
        self.reading = None

    # Called by the transport, or for the caller by the server.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._tunnel.note_activity()
        if self.peer._pending_close is not None:  # noqa: SLF001 - of the same class
            data = self._complete_frame(data)
        self._read_frames(data)

    def _read_frames(self, data: bytes) -> None:
        """Pass whole frames on; more of them than may be read at once wait for the loop's turn."""
        reader = self.reader
        passed = reader.feed(data)
        if passed and not self.peer.is_close_sent:
            self._pass_on(passed)
        if reader.has_ended:
            self._report_end()
        elif reader.has_more:
            self.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_more_frames)

    def _read_more_frames(self) -> None:
        if self.reader.has_more and not self.is_lost:
            self._read_frames(b"")
            self.update_reading()

    def _complete_frame(self, data: bytes) -> bytes:
        """Complete the frame that the peer's close frame waits for; return what follows it."""
        end = self.reader.remaining
        self._pass_on(self.reader.feed(data[:end]))
        if not self.reader.remaining:
            self.peer._send_pending_close()  # noqa: SLF001 - of the same class
        return data[end:]

    def _pass_on(self, data: bytes) -> None:
        self.received_bytes += len(data)
        transport = self.peer._transport  # noqa: SLF001 - of the same class
        if transport is not None:
            transport.write(data)

    def _report_end(self) -> None:
        self.update_reading()  # what arrives is dropped from now on
        if self.reader.violation:
            self._tunnel.on_violation(self)
            return
        self.peer.is_close_sent = True
        self._tunnel.on_close_frame(self)

    def _send_pending_close(self) -> None:
        frame, self._pending_close = self._pending_close, None
        self.is_close_sent = True
        self.peer.update_reading()  # what arrives there is dropped from now on
        transport = self._transport
        if frame is None or transport is None or transport.is_closing():
            return
        transport.write(frame)
        if self.is_close_received:
            transport.close()
        elif self.is_client and transport.can_write_eof():
            # A server closes first (RFC 6455, 7.1.1). The caller learns at once that no more
            # follows, and can still send its own close frame.
            with suppress(OSError):  # raised by asyncio itself: the caller has just disconnected
                transport.write_eof()

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self.peer.update_reading()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self.peer.update_reading()

    def eof_received(self) -> bool:
        # A caller may end its stream after its close frame, and still reads the reply. RFC 6455,
        # 7.1.1, only recommends that it wait for the end.
        if self.is_client and self.is_close_received and not self.is_close_sent:
            return True
        self.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost, self._transport, self._is_write_paused = True, None, False
        self.peer.update_reading()
        self._tunnel.on_lost(self)
