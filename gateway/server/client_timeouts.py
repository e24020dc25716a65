"""The timeouts of one connection: the waits of the server for its client."""

import asyncio
from typing import Protocol

from gateway.server import refusals
from gateway.server.connections import OpenConnections, WaitingQueue
from gateway.server.flow_control import FlowControl
from gateway.server.refusals import Refusal
from gateway.server.socket_state import has_data_to_read

MIN_BYTES_PER_SECOND = 500
"""The least that a client must send of a body, or read of a response, over `stall_seconds`."""


class WaitingConnection(Protocol):
    """The connection, as far as its timeouts need it."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends a body."""

    @property
    def is_streaming(self) -> bool:
        """Whether the response has begun, and is incomplete, while the body still arrives."""

    def refuse(self, refusal: Refusal) -> None:
        """Refuse the request in progress."""

    def abort(self) -> None:
        """Close the connection at once."""


class ClientWait:
    """The waiting of one connection for its client: an entry in the queues of `OpenConnections`.

    Invariant: `queue` holds this entry while no request is in flight; otherwise it is None.
    """

    __slots__ = (
        "_connection", "_connections", "_flow", "_has_had_request", "_is_waiting_for_body", "_loop",
        "_transport", "queue", "received_bytes",
    )  # fmt: skip

    def __init__(
        self,
        connection: WaitingConnection,
        connections: OpenConnections,
        flow: FlowControl,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._connections = connections
        self._flow = flow
        self._transport = transport
        self._loop = loop
        self._has_had_request = self._is_waiting_for_body = False
        self.queue: WaitingQueue | None = None
        self.received_bytes = 0
        self.wait_in(connections.new)

    def close(self) -> None:
        """Leave all queues, and break reference cycles."""
        self._connections.remove(self)
        del self._connection, self._transport

    def wait_in(self, queue: WaitingQueue) -> None:
        """Wait for the client, in this queue, with no request in flight."""
        if self.queue is not None:
            self.queue.discard(self)
        self.queue = queue
        queue.add(self, self._loop.time())

    def begin_request(self) -> None:
        """Leave the queue: a request is in flight."""
        if self.queue is not None:
            self.queue.discard(self)
            self.queue = None
            self._has_had_request = True

    def wait_for_head(self) -> None:
        """Wait for the rest of a head."""
        if self.queue is not self._connections.heads:
            self.wait_in(self._connections.heads)

    def begin_body(self) -> None:
        """Wait for the rest of a body, whether its request is in flight or not."""
        if not self._is_waiting_for_body:
            self._is_waiting_for_body = True
            self.received_bytes = 0
            self._connections.bodies.add(self, self._loop.time())

    def end_body(self) -> None:
        """Wait no longer for a body."""
        if self._is_waiting_for_body:
            self._is_waiting_for_body = False
            self._connections.bodies.discard(self)

    def begin_reading(self) -> None:
        """Wait until the client has read enough of the send buffer."""
        self._connections.readers.add(self, self._loop.time())

    def end_reading(self) -> None:
        """Wait no longer for the client to read."""
        self._connections.readers.discard(self)

    # Called by OpenConnections.

    def has_unread_data(self) -> bool:
        """Whether something has just arrived, and the server has not read it yet."""
        return has_data_to_read(self._transport)

    def abort(self) -> None:
        """Close the connection at once: it gives way to another."""
        self._connection.abort()

    def expire_idle(self) -> None:
        """End the connection: no request has begun in time."""
        if self.has_unread_data():
            connections = self._connections
            self.wait_in(connections.idle if self._has_had_request else connections.new)
        else:
            self._flow.close(is_truncated=self._flow.unsent_bytes > 0)

    def expire_head(self) -> None:
        """Refuse the request: its head did not arrive in time."""
        self._connection.refuse(refusals.HEAD_TIMEOUT)

    def expire_closing(self) -> None:
        """Reset the connection: the client did not close it in time, nor read enough."""
        closing = self._connections.closing
        if self._flow.is_being_read(MIN_BYTES_PER_SECOND * closing.seconds):
            self.wait_in(closing)
        else:
            self._flow.reset()

    def check_body(self, seconds: float) -> None:
        """Refuse the request if too little of its body has arrived in the last `seconds`.

        The client is not to blame while the app reads slower than it sends, while it waits for
        `100 Continue`, nor while the response is streamed: both may be silent for as long as the
        app allows.
        """
        if self._flow.is_closing:  # `expire_closing` decides
            return
        connection = self._connection
        is_slow = self.received_bytes < MIN_BYTES_PER_SECOND * seconds and self._flow.is_reading
        is_excused = connection.expects_continue or connection.is_streaming
        if is_slow and not is_excused and not self.has_unread_data():
            connection.refuse(refusals.BODY_TIMEOUT)
        else:
            self.received_bytes = 0
            self._connections.bodies.add(self, self._loop.time())

    def check_reader(self, seconds: float) -> None:
        """Reset the connection if the client has read too little in the last `seconds`."""
        if self._flow.has_read(MIN_BYTES_PER_SECOND * seconds):
            self.begin_reading()
        else:
            self._flow.reset()
