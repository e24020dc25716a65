"""`RedisProtocol`: writes commands to the socket and parses the replies, without redis-py."""

import asyncio
from collections.abc import Callable

from hiredis import Reader
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

from gateway.ratelimit.redis.redis_internals import get_transport, has_pending_data, parse_error

MAX_REPLY_BYTES = 16_384

RedisReply = list[int | list[int] | None] | RedisError

_INCOMPLETE = object()


class RedisProtocol(asyncio.Protocol):
    """Writes commands, and calls `on_reply` with each reply, in the order of arrival.

    `on_disconnect` is called with the error when the connection breaks. `on_writable` is called
    when `is_paused` becomes false again.
    """

    def __init__(
        self,
        on_reply: Callable[[RedisReply], None],
        on_writable: Callable[[], None],
        on_disconnect: Callable[[Exception], None],
    ) -> None:
        self.is_paused = False
        self._on_reply = on_reply
        self._on_writable = on_writable
        self._on_disconnect = on_disconnect
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=parse_error,
            notEnoughData=_INCOMPLETE,
        )

    async def take_over(self, connection: AbstractConnection) -> None:
        """Take over the socket of a connection that redis-py has set up.

        redis-py has connected, authenticated and selected the database. From now on its own reader
        gets no data.

        Raises:
            ConnectionError: the connection is closed, or has unexpected data.
        """
        transport = get_transport(connection)
        if transport is not None:
            self._transport = transport
            transport.set_protocol(self)
        if transport is None or transport.is_closing() or await has_pending_data(connection):
            raise RedisConnectionError(
                "Redis closed the new connection, or sent data on it, before any check was sent"
            )

    def write(self, commands: bytes) -> None:
        """Write commands. The transport buffers the rest if the socket is full."""
        if self._transport is not None:
            self._transport.write(commands)

    def abort(self) -> None:
        """Close the socket at once, and drop the data that has not been written yet."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and report each complete reply."""
        reader, on_reply = self._reader, self._on_reply
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _INCOMPLETE:
                on_reply(reply)
        except InvalidResponse as error:
            self._on_disconnect(error)
        else:
            if reader.len() > MAX_REPLY_BYTES:
                self._on_disconnect(
                    InvalidResponse(f"incomplete reply of more than {MAX_REPLY_BYTES} bytes")
                )

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the connection is closed."""
        self._on_disconnect(
            RedisConnectionError(f"Connection closed by server: {exc or 'no reason given'}")
        )

    def pause_writing(self) -> None:
        """Stop writing: the write buffer of the transport is full (backpressure)."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Write again: the write buffer has drained."""
        self.is_paused = False
        self._on_writable()
