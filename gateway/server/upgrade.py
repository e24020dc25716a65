"""A connection that leaves HTTP for another protocol, after `101 Switching Protocols`."""

import asyncio

from gateway.server.flow_control import FlowControl
from gateway.server.request_body import HIGH_WATER_LIMIT

UPGRADE = "lockgate.upgrade"
"""An ASGI extension of the gateway's server: its value is the `Upgrade` of the connection.

It is present if the request is the handshake of a WebSocket: GET over HTTP/1.1 without a body, with
`Connection: upgrade` and `Upgrade: websocket`. Any other `Upgrade` is ignored (RFC 9110, 7.8).
"""


class Upgrade:
    """The handshake of a connection that may leave HTTP.

    To accept it, the app calls `prepare`, and sends `http.response.start` with status 101. From
    then on the connection belongs to its protocol. The app keeps running until its
    protocol has lost the connection, or closes it with an empty `http.response.body`. It is not
    cancelled when the client disconnects: `connection_lost` of its protocol reports that.

    Any other response refuses the handshake, and ends the connection: what the client has sent
    after the handshake must not be read as a request.
    """

    # Invariant: until `is_accepted`, `_early` holds what arrived after the handshake.

    __slots__ = ("_early", "_flow", "_protocol", "_transport", "is_accepted")

    def __init__(self, flow: FlowControl, transport: asyncio.Transport) -> None:
        self.is_accepted = False
        self._early = bytearray()
        self._flow = flow
        self._transport = transport
        self._protocol: asyncio.Protocol | None = None

    def prepare(self, protocol: asyncio.Protocol) -> None:
        """Set the protocol that takes the connection with a response of status 101."""
        self._protocol = protocol

    def pause_reading(self) -> None:
        """Leave what the client sends in the buffer of the kernel; its disconnect is noticed."""
        self._flow.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._flow.resume_reading()

    # Called by the connection and its cycle.

    @property
    def is_prepared(self) -> bool:
        """Whether a response of status 101 is allowed."""
        return self._protocol is not None

    def accept(self) -> None:
        """Give the connection to the prepared protocol, with what has arrived already."""
        assert self._protocol is not None  # noqa: S101 - the cycle has checked it
        self.is_accepted = True
        self._flow.resume_reading()  # first: the protocol may pause it when it gets what arrived
        self._protocol.connection_made(self._transport)
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._protocol.data_received(early)

    def data_received(self, data: bytes) -> None:
        """Pass data on, or keep it until the handshake is accepted."""
        if self._flow.is_closing:
            return
        if self.is_accepted and self._protocol is not None:
            self._protocol.data_received(data)
            return
        self._early += data
        if len(self._early) > HIGH_WATER_LIMIT:
            self._flow.pause_reading()

    def pause_writing(self) -> None:
        """Report that the send buffer is full."""
        if self.is_accepted and self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Report that the send buffer has room again."""
        if self.is_accepted and self._protocol is not None:
            self._protocol.resume_writing()

    def eof_received(self) -> bool:
        """Report the end of what the client sends; return whether the connection stays open."""
        if self.is_accepted and self._protocol is not None:
            return bool(self._protocol.eof_received())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Report that the connection is lost, and break reference cycles."""
        protocol, self._protocol = self._protocol, None
        self._early.clear()
        if self.is_accepted and protocol is not None:
            protocol.connection_lost(error)
        del self._transport
