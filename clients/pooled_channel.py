"""The short way over our own transport: bytes out, bytes in, and no object of httpx's between."""

import httpx

from clients.address import Address
from clients.call import Call
from clients.channel import Bounds, Channel
from clients.connection import Connection
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

    async def fetch(self, call: Call, seconds: float) -> Reply:
        """Send a request and read its answer, all of it within so many seconds."""
        data, bodiless = self._data(call), call.method == "HEAD"
        pool = self._pool(self._address.origin)
        ends_at = pool.loop.time() + seconds
        connection = pool.idle() or await self._acquired(pool, ends_at, fresh=False)
        while True:
            try:
                reply = await connection.ask(data, bodiless, ends_at, self._bound)
            except BaseException as error:
                again = may_send_again(connection, error, replayable=call.method in IDEMPOTENT)
                pool.release(connection)
                del connection  # which holds the error, and what has come of the answer
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


def channel_over(transport: httpx.AsyncBaseTransport, address: Address, bounds: Bounds) -> Channel:
    """The shortest way over `transport`; one derived from ours may do something else than ours."""
    if type(transport) is Transport:
        return PooledChannel(transport, address, bounds)
    return Channel(transport, address, bounds)
