"""The connections to one origin: kept alive, counted, and lent to one call at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import httpx

from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.timeouts import ConnectTimeouts, expire
from gateway.transport.write_batch import WriteBatcher

Connect = Callable[[ConnectionOwner, WriteBatcher, float | None], Awaitable[Connection]]

_CLOSED = "the transport is closed"


class Pool:
    """At most `max_connections`, whose idle ones close after `idle_seconds`.

    Whoever finds none free waits in line, first come, first served. Every step costs the same
    however many connections, or callers in line, there are.
    """

    def __init__(self, connect: Connect, *, max_connections: int, idle_seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._connect = connect
        self._outbox = WriteBatcher(self.loop)
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._permits = 0
        self._all: set[Connection] = set()
        self._idle: dict[Connection, float] = {}
        self._line: OrderedDict[asyncio.Future[Connection | None], None] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def unused(self) -> bool:
        """No connection, and nobody who wants one."""
        return self._permits == 0

    def acquire_nowait(self) -> Connection | None:
        """Lend an idle connection until `release`; None if there is none."""
        while self._idle:
            connection = self._idle.popitem()[0]
            if connection.open:
                return connection
            self.release(connection)
        return None

    async def acquire(self, waits: ConnectTimeouts, *, force_new: bool) -> Connection:
        """Lend a connection until `release`: an idle one if there is one, a new one if `force_new`.

        Raises:
            httpx.PoolTimeout: none became free in time.
            httpx.ConnectError: none could be opened (ConnectTimeout: not in time).
        """
        connection = await self._take(waits.pool)
        if connection is not None and (force_new or not connection.open):
            connection.abort()
            connection = None
        return connection or await self._open(waits.connect)

    def release(self, connection: Connection) -> None:
        """Give a connection back: for the next call if that is safe, else it is closed."""
        if self._closed or not connection.reusable:
            connection.abort()
            self._pass_on(None)
        else:
            self._pass_on(connection)

    def lost(self, connection: Connection) -> None:
        """A connection is gone; if nobody was using it, so is its place."""
        self._all.discard(connection)
        if self._idle.pop(connection, None) is not None:
            self._permits -= 1

    async def aclose(self) -> None:
        """Close every connection at once; whoever waits or reads gets an error."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for turn in self._line:
            if not turn.done():
                turn.set_exception(httpx.ConnectError(_CLOSED))
        connections = list(self._all)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in connections))

    async def _take(self, seconds: float | None) -> Connection | None:
        """An idle connection, or the right to open one."""
        if self._idle:
            return self._idle.popitem()[0]
        if self._permits < self._max_connections:
            self._permits += 1
            return None
        return await self._queue(seconds)

    async def _queue(self, seconds: float | None) -> Connection | None:
        turn: asyncio.Future[Connection | None] = self.loop.create_future()
        timer = (
            None
            if seconds is None
            else self.loop.call_later(seconds, expire, turn, httpx.PoolTimeout)
        )
        self._line[turn] = None
        try:
            return await turn
        except asyncio.CancelledError:
            # Cancelled in the very moment it was served: the next in line must not lose it.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give_back(turn.result())
            raise
        finally:
            self._line.pop(turn, None)
            if timer is not None:
                timer.cancel()
            del turn  # the trace of its error would hold it

    def _give_back(self, connection: Connection | None) -> None:
        if connection is None:
            self._pass_on(None)
        else:
            self.release(connection)

    async def _open(self, seconds: float | None) -> Connection:
        if self._closed:
            self._pass_on(None)
            raise httpx.ConnectError(_CLOSED)
        try:
            connection = await self._connect(self, self._outbox, seconds)
        except BaseException:
            self._pass_on(None)
            raise
        if connection.open:
            self._all.add(connection)
        if self._closed:
            self.release(connection)
            raise httpx.ConnectError(_CLOSED)
        return connection

    def _pass_on(self, connection: Connection | None) -> None:
        """Hand a connection, or the right to open one, to the first in line."""
        while self._line:
            turn, _ = self._line.popitem(last=False)
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._permits -= 1
            return
        now = self.loop.time()
        self._idle[connection] = now + self._idle_seconds
        if self._sweep is None:
            self._sweep_at(now + self._idle_seconds)

    def _sweep_at(self, when: float) -> None:
        self._sweep = self.loop.call_at(when, self._expire_idle)

    def _expire_idle(self) -> None:
        """Close what has been idle too long, oldest first, and look again when the next is due."""
        self._sweep = None
        now = self.loop.time()
        while self._idle:
            connection, due = next(iter(self._idle.items()))
            if due > now:
                self._sweep_at(due)
                return
            del self._idle[connection]
            self._permits -= 1
            connection.abort()
