"""The keep-alive connection pool of one origin: bounded size, and a queue of waiting callers."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from math import inf
from random import uniform

import httpx

from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.deadline_timer import expire
from gateway.transport.timeouts import ConnectTimeouts
from gateway.transport.write_batch import WriteBatcher

Connect = Callable[[ConnectionOwner, WriteBatcher, float | None], Awaitable[Connection]]

_CLOSED = "the transport is closed"


class Pool:
    """At most `max_connections`; an idle one is closed after `idle_seconds`.

    A server that announces a shorter time in `Keep-Alive` gets no request after it. A connection is
    not used again after about `max_age_seconds`, so that a change in DNS is followed.

    Callers that find no free connection wait in a queue, first in, first out. Every operation
    takes constant time, however many connections and waiting callers there are.
    """

    # A slot is the right to have one connection. `_size` counts the slots that are taken. Each of
    # them, and each connection, is in exactly one of these cases:
    #
    #   opening   a caller is in `_open_connection`; there is no connection yet, or it is the
    #             caller's already.
    #   in use    an `Exchange` or the connection itself (`send_request`) will call `release`
    #             once; until then nothing else uses the connection.
    #   idle      the connection is in `_idle`, with the time at which it expires. The newest is
    #             used first, so that the others can expire; the oldest comes first in the dict.
    #   detached  (no slot) the exchange in flight has become a stream, or is to become one: the
    #             connection is in `_detached` until `release`, and gets a slot if one is free then.
    #             `_opening_detached` counts those that are being opened.
    #   handed    the slot, with its connection or without, is the result of a waiter's future
    #             whose task has not resumed yet.
    #
    # Invariants:
    #   - _size <= max_connections, and len(_idle) <= len(_connections) <= _size + len(_detached),
    #     but for aborted connections whose `connection_lost` is still to come.
    #   - Callers wait only while every slot is taken and none is idle: a slot that becomes free
    #     goes to the first waiter (`_release_to_waiter`) before it becomes idle or is given up.
    #   - A slot is never lost: a task that fails or is cancelled while it holds one gives it back.
    #   - Only an idle connection that closes by itself frees its slot in `connection_lost`. For
    #     one in use `release` does that; otherwise the slot would be freed twice.
    #   - A connection is used again only if it `is_reusable` at the time of `release`, and only
    #     while it `is_open`. `is_retryable` covers a stale one that the server has just closed.

    def __init__(
        self,
        connect: Connect,
        *,
        max_connections: int,
        idle_seconds: float,
        max_age_seconds: float = inf,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._connect = connect
        self._batcher = WriteBatcher(self.loop)
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._max_age_seconds = max_age_seconds
        self._size = 0
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, float] = {}
        self._detached: set[Connection] = set()
        self._opening_detached = 0
        self._waiters: OrderedDict[asyncio.Future[Connection | None], None] = OrderedDict()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._has_failed = False  # the last attempt to connect
        self._is_closed = False

    def __repr__(self) -> str:
        """Show the numbers of connections and waiting callers."""
        name, size, limit = type(self).__name__, self._size, self._max_connections
        state = f"size={size}/{limit} idle={len(self._idle)} waiting={len(self._waiters)}"
        return f"<{name} {state}{' closed' if self._is_closed else ''}>"

    @property
    def is_empty(self) -> bool:
        """Whether there is no connection, and no caller that opens one or waits for one."""
        return self._size == 0 and not (self._detached or self._opening_detached)

    @property
    def is_unreachable(self) -> bool:
        """Whether the last attempt to connect has failed, and there is no connection."""
        return self._has_failed and not self._connections

    def acquire_nowait(self) -> Connection | None:
        """Take an idle connection, to be used until `release`; None if there is none."""
        while self._idle:
            connection, expires_at = self._idle.popitem()
            if connection.is_open and expires_at > self.loop.time():
                return connection
            connection.abort()
            self._release_to_waiter(None)
        return None

    async def acquire(self, timeouts: ConnectTimeouts, *, force_new: bool) -> Connection:
        """Take a connection, to be used until `release`; a new one if none is idle or `force_new`.

        Raises:
            httpx.PoolTimeout: no connection became free in time.
            httpx.ConnectError: no connection could be opened.
            httpx.ConnectTimeout: no connection could be opened in time.
        """
        connection = await self._acquire_slot(timeouts.pool)
        if connection is not None and (force_new or not connection.is_open):
            # Its slot is used for the new connection.
            connection.abort()
            connection = None
        return connection or await self._open_in_slot(timeouts.connect)

    async def open_detached(self, timeouts: ConnectTimeouts) -> Connection:
        """Open a connection that takes no slot, for an exchange that is to become a stream.

        Raises: the errors of `acquire`, but for PoolTimeout.
        """
        self._opening_detached += 1
        try:
            connection = await self._open_connection(timeouts.connect)
        finally:
            self._opening_detached -= 1
        self._detached.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take a connection back: keep it for the next call, or close it if it is not reusable."""
        if self._detached and connection in self._detached and not self._attach(connection):
            return
        now = self.loop.time()
        if self._is_closed or not connection.is_reusable or now >= connection.retires_at:
            connection.abort()
            self._release_to_waiter(None)
        else:
            self._release_to_waiter(connection, now)

    def detach(self, connection: Connection) -> None:
        """Free the slot of a connection in use: its exchange has become a stream."""
        if connection not in self._detached:
            self._detached.add(connection)
            self._release_to_waiter(None)

    def remove(self, connection: Connection) -> None:
        """Give up a connection in use: its socket belongs to another protocol now."""
        if connection in self._detached:
            self._detached.discard(connection)
        else:
            self._release_to_waiter(None)

    def _attach(self, connection: Connection) -> bool:
        """Give a connection whose stream has ended a slot again; close it if none is free."""
        self._detached.discard(connection)
        if self._size < self._max_connections:
            self._size += 1
            return True
        connection.abort()
        return False

    def connection_lost(self, connection: Connection) -> None:
        """Forget a connection whose socket has closed; if it was idle, free its slot."""
        self._connections.discard(connection)
        if self._idle.pop(connection, None) is not None:
            self._size -= 1

    async def aclose(self) -> None:
        """Close every connection at once; calls in flight and waiting callers get an error."""
        self._is_closed = True
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(httpx.ConnectError(_CLOSED))
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in connections))

    async def _acquire_slot(self, seconds: float | None) -> Connection | None:
        """Take a slot: with an idle connection, or without one (None), for a new connection."""
        if (connection := self.acquire_nowait()) is not None:
            return connection
        if self._size < self._max_connections:
            self._size += 1
            return None
        return await self._wait_for_slot(seconds)

    async def _wait_for_slot(self, seconds: float | None) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self.loop.create_future()
        timer = None
        if seconds is not None:
            timer = self.loop.call_later(seconds, expire, waiter, httpx.PoolTimeout, seconds)
        self._waiters[waiter] = None
        try:
            return await waiter
        except asyncio.CancelledError:
            # Cancelled after the slot was handed over: the next in the queue must get it.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._return_slot(waiter.result())
            raise
        finally:
            self._waiters.pop(waiter, None)
            if timer is not None:
                timer.cancel()
            del waiter  # the traceback of its error would refer to it, a reference cycle

    def _return_slot(self, connection: Connection | None) -> None:
        if connection is None:
            self._release_to_waiter(None)
        else:
            self.release(connection)

    async def _open_in_slot(self, seconds: float | None) -> Connection:
        """Open a connection in a slot that the caller holds; give the slot back on failure."""
        try:
            return await self._open_connection(seconds)
        except BaseException:
            self._release_to_waiter(None)
            raise

    async def _open_connection(self, seconds: float | None) -> Connection:
        if self._is_closed:
            raise httpx.ConnectError(_CLOSED)
        try:
            connection = await self._connect(self, self._batcher, seconds)
        except httpx.TransportError:
            self._has_failed = True
            raise
        self._has_failed = False
        # Not all at the same time, because connections are often opened together.
        age = self._max_age_seconds * uniform(0.9, 1.0)  # noqa: S311
        connection.retires_at = self.loop.time() + age
        if connection.is_open:
            self._connections.add(connection)
        if self._is_closed:  # in the meantime
            connection.abort()
            raise httpx.ConnectError(_CLOSED)
        return connection

    def _release_to_waiter(self, connection: Connection | None, now: float = 0.0) -> None:
        """Hand a slot to the first waiter; with no waiter, keep its connection idle or free it.

        `connection` None is a slot without a connection: the waiter opens one. With a connection,
        `now` is the time of the loop.
        """
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            # One that timed out or was cancelled, but has not resumed yet, is still in the queue.
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._size -= 1
            return
        expires_at = min(
            now + self._idle_seconds, now + connection.keep_alive_seconds, connection.retires_at
        )
        self._idle[connection] = expires_at
        if self._idle_timer is None:
            self._start_idle_timer(expires_at)

    def _start_idle_timer(self, when: float) -> None:
        self._idle_timer = self.loop.call_at(when, self._close_expired)

    def _close_expired(self) -> None:
        """Close the connections that were idle for too long, oldest first; one timer serves all.

        One that expires before an older one is closed with it: until then `acquire_nowait` skips
        it.
        """
        self._idle_timer = None
        now = self.loop.time()
        while self._idle:
            connection, expires_at = next(iter(self._idle.items()))
            if expires_at > now:
                self._start_idle_timer(expires_at)
                return
            del self._idle[connection]
            self._size -= 1
            connection.abort()
