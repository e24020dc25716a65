"""The short way over our own transport: bytes out, bytes in, and no object of httpx's between."""

import asyncio
from functools import partial

import httpx

from clients.address import Address
from clients.asked import Asked, Told
from clients.call import Call
from clients.channel import Bounds, Channel
from clients.connection import Connection, Outcome
from clients.message import IDEMPOTENT
from clients.pool import Pool
from clients.reply import Reply
from clients.resending import may_send_again
from clients.response_parser import Head
from clients.transport import Transport
from clients.waits import Until


class PooledChannel(Channel):
    """A channel on the transport's connections themselves; what it sends and reads is the same."""

    def __init__(self, transport: Transport, address: Address, bounds: Bounds) -> None:
        super().__init__(transport, address, bounds)
        self._pool = transport.pool
        self._middle = f" HTTP/1.1\r\nHost: {address.host}\r\n"

    def begin(self, call: Call, seconds: float, told: Told) -> Asked | None:
        """Send a request, if there is an idle connection."""
        data, method = self._data(call), call.method
        pool = self._pool(self._address.origin)
        connection = pool.idle()
        if connection is None:
            return None
        asked = Asked(pool, connection, told, replayable=method in IDEMPOTENT)
        ends_at = pool.loop.time() + seconds
        connection.ask(data, method == "HEAD", ends_at, self._bound, asked.land)
        return asked

    async def fetch(self, call: Call, seconds: float, *, fresh: bool) -> Reply:
        """Send a request and read its answer, all of it within so many seconds."""
        data, bodiless = self._data(call), call.method == "HEAD"
        pool = self._pool(self._address.origin)
        ends_at = pool.loop.time() + seconds
        idle = None if fresh else pool.idle()
        connection = idle or await self._acquired(pool, ends_at, fresh=fresh)
        while True:
            answer: asyncio.Future[Reply] = pool.loop.create_future()
            try:
                connection.ask(data, bodiless, ends_at, self._bound, partial(_settle, answer))
                reply = await answer
            except BaseException as error:
                again = may_send_again(connection, error, replayable=call.method in IDEMPOTENT)
                pool.release(connection)
                del connection, answer  # which hold the error, and what has come of the answer
                if not again:
                    raise
            else:
                pool.release(connection)
                return reply
            connection = await self._acquired(pool, ends_at, fresh=True)

    async def _acquired(self, pool: Pool, ends_at: float, *, fresh: bool) -> Connection:
        waits = Until(pool.loop, ends_at, self._bounds.connect_timeout)
        return await pool.acquire(waits, fresh=fresh)

    def _data(self, call: Call) -> bytes:
        target, lines, body = call.written()
        head = f"{call.method} {self._address.path}{target}{self._middle}{lines}\r\n"
        return head.encode("ascii") + body

    def _bound(self, head: Head) -> int:
        return Reply(head.status, head.noted).wanted(self._bounds.max_body_bytes)


def _settle(answer: asyncio.Future[Reply], outcome: Outcome) -> None:
    """Wake who waits, if anybody still does."""
    if answer.done():
        return
    if isinstance(outcome, Reply):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def channel_over(transport: httpx.AsyncBaseTransport, address: Address, bounds: Bounds) -> Channel:
    """The shortest way over `transport`; one derived from ours may do something else than ours."""
    if type(transport) is Transport:
        return PooledChannel(transport, address, bounds)
    return Channel(transport, address, bounds)
