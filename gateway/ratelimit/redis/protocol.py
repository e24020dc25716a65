"""The socket of a connection to Redis, without redis-py between it and the checks."""

import asyncio
from collections.abc import Callable
from typing import cast

from hiredis import Reader
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

MAX_ANSWER_BYTES = 16_384

RedisReply = list[int] | RedisError

_PART_OF_ONE = object()


class RedisProtocol(asyncio.Protocol):
    """Writes commands and hands on each answer, in the order in which they come.

    `end` hears once what broke the connection; `resume`, that `paused` is over.
    """

    def __init__(
        self,
        receive: Callable[[RedisReply], None],
        resume: Callable[[], None],
        end: Callable[[Exception], None],
    ) -> None:
        self.paused = False
        self._receive = receive
        self._resume = resume
        self._end = end
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=DefaultParser.parse_error,
            notEnoughData=_PART_OF_ONE,
        )

    async def take_over(self, connection: AbstractConnection) -> None:
        """Carry on where redis-py has connected, authenticated and chosen the database.

        Raises:
            ConnectionError: the connection has ended, or speaks without being asked.
        """
        # redis-py has no public name for the socket. Its own reader never sees another byte.
        writer = connection._writer  # noqa: SLF001
        if writer is not None:
            self._transport = cast("asyncio.Transport", writer.transport)
            self._transport.set_protocol(self)
        if writer is None or writer.is_closing() or await connection.can_read():
            raise RedisConnectionError("Redis spoke or hung up before anything was asked.")

    def write(self, commands: bytes) -> None:
        """Send them; what the kernel does not take at once is kept, and may set `paused`."""
        if self._transport is not None:
            self._transport.write(commands)

    def abort(self) -> None:
        """Close at once, and send nothing that has not gone out yet."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on each answer that is whole now."""
        reader, receive = self._reader, self._receive
        try:
            reader.feed(data)
            while (answer := reader.gets()) is not _PART_OF_ONE:
                receive(answer)
        except InvalidResponse as nonsense:
            self._end(nonsense)
        else:
            if reader.len() > MAX_ANSWER_BYTES:
                self._end(InvalidResponse("an answer without an end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the connection is no more."""
        self._end(RedisConnectionError(f"Connection closed by server: {exc or 'no reason given'}"))

    def pause_writing(self) -> None:
        """Too much is waiting for the kernel."""
        self.paused = True

    def resume_writing(self) -> None:
        """The kernel took most of it."""
        self.paused = False
        self._resume()
