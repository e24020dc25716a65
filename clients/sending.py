"""A message on its way over one of a pool's connections."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import httpx

from clients.connection import Connection
from clients.pool import Pool
from clients.waits import Waits

P = ParamSpec("P")
T = TypeVar("T")


async def send(
    pool: Pool,
    waits: Waits,
    replayable: bool,
    exchange: Callable[Concatenate[Connection, P], Awaitable[T]],
    /,
    *arguments: P.args,
    **keywords: P.kwargs,
) -> tuple[Connection, T]:
    """Exchange a message; the connection is the caller's to read from and to release.

    `exchange` is called with the connection and what follows, again if need be: what is
    `replayable`, and so can safely be sent twice, is, once, if a kept connection turns out to be
    closed.

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
            return connection, await exchange(connection, *arguments, **keywords)
        except httpx.TransportError:
            stale = connection.stale  # asked now, for who releases it may close it
            pool.release(connection)
            if not (stale and replayable):
                raise
            fresh = True  # and such a one is never stale: there is no third time
        except BaseException:
            pool.release(connection)
            raise
