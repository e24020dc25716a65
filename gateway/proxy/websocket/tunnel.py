"""The tunnel of one WebSocket between caller and service, without a task of its own."""

import asyncio
from dataclasses import dataclass

from gateway.proxy.stream_end import SHUTDOWN, TOKEN_EXPIRED, TOKEN_REVOKED, StreamEnd
from gateway.proxy.upstream.upstream_failures import IDLE_TIMEOUT
from gateway.proxy.websocket.close_frame import CloseCode
from gateway.proxy.websocket.service_handshake import InvalidHandshake
from gateway.proxy.websocket.tunnel_side import TunnelSide
from gateway.transport.exchange import Exchange

CLOSE_SECONDS = 5.0
"""The time in which a connection must end after the first close frame."""


@dataclass(frozen=True, slots=True)
class TunnelLimits:
    """The seconds without a byte after which a tunnel ends, and the time at which it ends anyway.

    `reserved_bits` are those that the negotiated extensions use in frames.
    """

    idle_timeout: float
    end: StreamEnd
    reserved_bits: int


class Tunnel:
    """Passes bytes between the two sides, and closes both when it must end.

    `closed` is done when both connections have ended. `close_code` is that of the first close
    frame, and `closed_by` its sender: `caller`, `service` or `gateway`.
    """

    # The states follow from the sides:
    #
    #   open      no close frame has been sent to any side
    #   closing   one has been sent, or a connection was lost; the rest must end in CLOSE_SECONDS
    #   closed    both connections were lost
    #
    # Invariants:
    # - One timer is armed until the tunnel is closed: for the idle timeout and `end` while it is
    #   open, for `abort` while it is closing.
    # - A side that has both sent and been sent a close frame is disconnected.

    __slots__ = (
        "_active_at", "_is_closing", "_limits", "_loop", "_timer", "caller", "close_code", "closed",
        "closed_by", "reason", "service",
    )  # fmt: skip

    def __init__(self, limits: TunnelLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._active_at = self._loop.time()
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.close_code: int = CloseCode.ABNORMAL
        self.closed_by = self.reason = ""
        self.caller = TunnelSide(self, is_client=True, reserved_bits=limits.reserved_bits)
        self.service = TunnelSide(self, is_client=False, reserved_bits=limits.reserved_bits)
        self.caller.peer, self.service.peer = self.service, self.caller

    def __repr__(self) -> str:
        """Show both sides."""
        return f"<{type(self).__name__} {self.caller!r} {self.service!r}>"

    def take_over(self, exchange: Exchange) -> bytes:
        """Take the connection of an exchange that ended with 101; return what has arrived on it.

        Nothing more is read from it before `start`.

        Raises:
            InvalidHandshake: the service has closed it.
        """
        transport, early = exchange.upgrade(self.service)
        if transport.is_closing():
            raise InvalidHandshake("101, and then the end of the connection")
        self.service.connection_made(transport)
        self.service.pause_reading()
        return early

    def start(self, early: bytes) -> None:
        """Begin: both connections are made. `early` is what the service has sent after its 101."""
        self._arm()
        self.service.update_reading()
        if early:
            self.service.data_received(early)

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame to both sides, each between two frames."""
        if self._is_closing:
            return
        self._record(code, "gateway", reason)
        self._begin_closing()
        for side in (self.caller, self.service):
            side.send_close(code, reason)

    def abort(self) -> None:
        """End both connections at once."""
        self._is_closing = True
        self.caller.abort()
        self.service.abort()

    def shutdown(self) -> None:
        """Close the connection: the gateway stops."""
        self.close(CloseCode.GOING_AWAY, SHUTDOWN)

    def revoke(self) -> None:
        """Close the connection: the token of the caller has been revoked."""
        self.close(CloseCode.POLICY_VIOLATION, TOKEN_REVOKED)

    # Called by the sides.

    def note_activity(self) -> None:
        """Start the idle timeout anew."""
        self._active_at = self._loop.time()

    def on_close_frame(self, side: TunnelSide) -> None:
        """Wait for the close frame of the other side; then disconnect both."""
        code = side.reader.close_code
        if not self._is_closing and code is not None:
            self._record(code, "caller" if side.is_client else "service", "")
            self._begin_closing()
        for one in (self.caller, self.service):
            if one.is_close_received and one.is_close_sent:
                one.disconnect()

    def on_violation(self, side: TunnelSide) -> None:
        """Fail the connection (RFC 6455, 7.1.7): what the side sends now cannot be read."""
        if not self._is_closing:
            sender = "the caller" if side.is_client else "the service"
            self.close(CloseCode.PROTOCOL_ERROR, side.reader.violation)
            self.reason = f"{sender} sent {side.reader.violation}"
        if side.is_close_sent and not side.is_client:
            side.disconnect()

    def on_lost(self, side: TunnelSide) -> None:
        """End the other side too.

        A caller gets a close frame, if no frame is incomplete. Otherwise it must see that the
        connection has ended early.
        """
        peer = side.peer
        if peer.is_lost:
            self._finish()
            return
        self._begin_closing()
        if side.is_client:
            peer.disconnect()
        elif not peer.is_close_sent:
            if side.reader.remaining:
                peer.abort()
            else:
                reason = "the service has ended the connection"
                self._record(CloseCode.INTERNAL_ERROR, "gateway", reason)
                peer.send_close(CloseCode.INTERNAL_ERROR, reason)

    # Its end.

    def _record(self, code: int, closed_by: str, reason: str) -> None:
        if not self.closed_by:
            self.close_code, self.closed_by, self.reason = code, closed_by, reason

    def _begin_closing(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        if self._timer is None:  # `start` is still to come
            return
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_closing:
            self._timer = self._loop.call_later(CLOSE_SECONDS, self.abort)
            return
        at = self._active_at + self._limits.idle_timeout
        if self._limits.end.at is not None:
            at = min(at, self._limits.end.at)
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        now, end = self._loop.time(), self._limits.end
        if end.at is not None and now >= end.at:
            has_expired = end.reason == TOKEN_EXPIRED
            code = CloseCode.POLICY_VIOLATION if has_expired else CloseCode.GOING_AWAY
            self.close(code, end.reason)
        elif now >= self._active_at + self._limits.idle_timeout:
            self.close(CloseCode.GOING_AWAY, IDLE_TIMEOUT)
        else:
            self._arm()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closed.done():
            self.closed.set_result(None)
        self.caller.release()
        self.service.release()
