"""httpx's transport for HTTP/1.1, made for many short calls to few services."""

import ssl
from collections.abc import AsyncIterator
from functools import partial

import httpx

from gateway.transport.connection import Connection
from gateway.transport.origin import Origin
from gateway.transport.pool import Pool
from gateway.transport.request_writer import SerializedRequest
from gateway.transport.response_parser import ResponseHead
from gateway.transport.timeouts import RequestTimeouts

_MANY_ORIGINS = 64


class Transport(httpx.AsyncBaseTransport):
    """Keep-alive connections, at most `max_connections` to an origin.

    Its errors are httpx's own. A connection is used again only after a whole exchange; a
    request that can safely be sent twice is, once, if a kept connection turns out to be closed.
    No HTTP/2, no proxies, no upgrades. `tls` None verifies against the system's roots.
    """

    def __init__(
        self,
        *,
        max_connections: int = 256,
        idle_seconds: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._tls = tls
        self._pools: dict[Origin, Pool] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response comes as soon as its head is there."""
        try:
            return await _exchanged(self.pool(Origin.of(request.url)), request)
        except httpx.TransportError as exc:
            exc.request = request
            raise

    async def aclose(self) -> None:
        """Close every connection at once."""
        self._closed = True
        for pool in self._pools.values():
            await pool.aclose()

    def pool(self, origin: Origin) -> Pool:
        """The connections to `origin`.

        Raises:
            RuntimeError: the transport is closed.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        pool = self._pools.get(origin)
        if pool is None:
            self._forget_unused()
            pool = self._pools[origin] = Pool(
                partial(origin.connect, tls=self._tls),
                max_connections=self._max_connections,
                idle_seconds=self._idle_seconds,
            )
        return pool

    def _forget_unused(self) -> None:
        if len(self._pools) >= _MANY_ORIGINS:
            self._pools = {at: pool for at, pool in self._pools.items() if not pool.unused}


class _Body(httpx.AsyncByteStream):
    """A body still on its way; its connection goes back when it ends or is no longer wanted."""

    def __init__(self, pool: Pool, connection: Connection, request: httpx.Request) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seconds = RequestTimeouts.from_request(self._request).read
        try:
            while self._connection and (piece := await self._connection.receive(seconds)):
                yield piece
        except httpx.TransportError as exc:
            exc.request = self._request
            raise
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back; a body not read to its end closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)


async def _exchanged(pool: Pool, request: httpx.Request) -> httpx.Response:
    message, waits = (
        await SerializedRequest.serialize(request),
        RequestTimeouts.from_request(request),
    )
    connection = pool.acquire_nowait() or await pool.acquire(waits, force_new=False)
    while True:
        try:
            head = await connection.exchange(message, waits)
        except BaseException as error:
            again = isinstance(error, httpx.TransportError) and connection.may_ask_again
            pool.release(connection)
            del connection  # which holds the error, and what has come of the answer
            if not again:
                raise
        else:
            return _response(pool, connection, head, request)
        connection = await pool.acquire(waits, force_new=True)


def _response(
    pool: Pool, connection: Connection, head: ResponseHead, request: httpx.Request
) -> httpx.Response:
    stream: httpx.AsyncByteStream = _Body(pool, connection, request)
    if connection.complete:
        # All of it is here already, so that the connection need not wait to be read from.
        stream = httpx.ByteStream(connection.take())
        pool.release(connection)
    return httpx.Response(
        head.status,
        headers=head.fields,
        stream=stream,
        extensions={"http_version": b"HTTP/" + head.version.encode()},
    )
