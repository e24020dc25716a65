"""A message on its way over one of a pool's connections."""

import httpx

from clients.connection import Bound, Connection
from clients.message import Message
from clients.pool import Pool
from clients.response_parser import Head
from clients.waits import Waits


async def send(
    pool: Pool, message: Message, waits: Waits, *, bound: Bound | None = None
) -> tuple[Connection, Head]:
    """Exchange a message; the connection is the caller's to read from and to release.

    With a `bound` the body has been read too, as far as that goes. What can safely be sent twice
    is, once, if a kept connection turns out to be closed.

    Raises:
        httpx.TransportError: no answer came; the connection has been released.
    """
    fresh = False
    while True:
        connection = None if fresh else pool.idle()
        if connection is None:
            connection = await pool.acquire(
                fresh=fresh, pool_timeout=waits.pool, connect_timeout=waits.connect
            )
        try:
            if bound is None:
                return connection, await connection.exchange(message, waits)
            return connection, await connection.exchange_whole(message, waits, bound)
        except httpx.TransportError:
            pool.release(connection)
            if not (connection.stale and message.replayable):
                raise
            fresh = True  # and such a one is never stale: there is no third time
        except BaseException:
            pool.release(connection)
            raise
