"""A pool whose connections lead to a server, and the loan of one for an exchange."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from gateway.transport.connection import Connection
from gateway.transport.exchange import Exchange
from gateway.transport.origin import Origin, OriginConnector
from gateway.transport.pool import Pool
from gateway.transport.timeouts import RequestTimeouts
from gateway.transport.tls import ClientTls
from tests.gateway.transport.scripted_server import (
    OK,
    ScriptedServer,
    respond_with,
    serve_script,
)

# Its exchange releases the connection when it is closed, and not by itself.
CHUNKED_HELLO = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@asynccontextmanager
async def open_pool(**options: float) -> AsyncIterator[tuple[Pool, ScriptedServer]]:
    async with serve_script(respond_with(*[CHUNKED_HELLO] * 9)) as server:
        connect = OriginConnector(Origin.from_url(httpx.URL(server.url)), ClientTls()).connect
        pool = Pool(connect, **{"max_connections": 1, "idle_seconds": 30, **options})  # type: ignore[arg-type]
        yield pool, server
        await pool.aclose()


async def lend(pool: Pool, *, force_new: bool = False) -> Connection:
    """Acquire a connection and let it complete one exchange, so that it can be reused."""
    connection = await pool.acquire(RequestTimeouts(pool=5, connect=5), force_new=force_new)
    exchange = Exchange(connection)
    exchange.begin(b"GET / HTTP/1.1\r\nHost: service.test\r\n\r\n", is_replayable=True)
    assert (await exchange.receive_head(5)).status == 200
    assert await exchange.receive_body() == b"hello"
    return connection


async def lend_and_wait(pool: Pool) -> tuple[Connection, asyncio.Task[Connection]]:
    """Lend the only connection of a pool, and begin to wait for another one."""
    connection = await lend(pool)
    waiting = asyncio.create_task(lend(pool))
    await asyncio.sleep(0)
    return connection, waiting
