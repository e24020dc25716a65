"""An httpx transport for HTTP/1.1, optimized for many short calls to few services."""

import ssl
from collections.abc import AsyncIterator

import httpx

from gateway.transport.connection import Connection
from gateway.transport.origin import Origin, OriginConnector
from gateway.transport.pool import Pool
from gateway.transport.request_writer import SerializedRequest
from gateway.transport.response_parser import ResponseHead
from gateway.transport.timeouts import RequestTimeouts
from gateway.transport.tls import ClientTls

_MANY_POOLS = 64


class Transport(httpx.AsyncBaseTransport):
    """Keep-alive connections, at most `max_connections` for each origin.

    Its errors are httpx's own. A connection is used again only after a complete exchange. If a
    keep-alive connection is stale, an idempotent request is sent once more over a new connection.
    There is no HTTP/2, no proxy support and no protocol upgrade. An idle connection is closed
    after `idle_seconds`, and any connection after `max_age_seconds`, between two requests. `tls`
    None trusts the CAs of the system.
    """

    def __init__(
        self,
        *,
        max_connections: int = 256,
        idle_seconds: float = 30.0,
        max_age_seconds: float = 300.0,
        tls: ClientTls | ssl.SSLContext | None = None,
    ) -> None:
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._max_age_seconds = max_age_seconds
        self._tls = tls if isinstance(tls, ClientTls) else ClientTls(context=tls)
        self._pools: dict[Origin, Pool] = {}
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return the response as soon as its head has arrived.

        Raises:
            httpx.TransportError: no response arrived.
        """
        try:
            return await _send_request(self.pool(Origin.from_url(request.url)), request)
        except httpx.TransportError as exc:
            exc.request = request
            raise

    async def aclose(self) -> None:
        """Close every connection at once."""
        self._is_closed = True
        for pool in self._pools.values():
            await pool.aclose()

    def pool(self, origin: Origin) -> Pool:
        """Return the connection pool of `origin`.

        Raises:
            RuntimeError: the transport is closed.
        """
        if self._is_closed:
            raise RuntimeError("the transport is closed")
        pool = self._pools.get(origin)
        if pool is None:
            self._drop_empty_pools()
            pool = self._pools[origin] = Pool(
                OriginConnector(origin, self._tls).connect,
                max_connections=self._max_connections,
                idle_seconds=self._idle_seconds,
                max_age_seconds=self._max_age_seconds,
            )
        return pool

    def _drop_empty_pools(self) -> None:
        if len(self._pools) >= _MANY_POOLS:
            self._pools = {
                origin: pool for origin, pool in self._pools.items() if not pool.is_empty
            }


class _ResponseBody(httpx.AsyncByteStream):
    """A body that is still arriving; it releases its connection at its end or when closed."""

    def __init__(self, pool: Pool, connection: Connection, request: httpx.Request) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        timeout = RequestTimeouts.from_request(self._request).read
        try:
            while self._connection and (piece := await self._connection.receive_body(timeout)):
                yield piece
        except httpx.TransportError as exc:
            exc.request = self._request
            raise
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Release the connection; if the body has not been read to its end, that closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)


async def _send_request(pool: Pool, request: httpx.Request) -> httpx.Response:
    serialized = await SerializedRequest.serialize(request)
    timeouts = RequestTimeouts.from_request(request)
    connection = pool.acquire_nowait() or await pool.acquire(timeouts, force_new=False)
    while True:
        try:
            head = await connection.exchange(serialized, timeouts)
        except BaseException as error:
            is_retryable = isinstance(error, httpx.TransportError) and connection.is_retryable
            pool.release(connection)
            del connection  # it refers to the error, whose traceback refers to this frame
            if not is_retryable:
                raise
        else:
            return _build_response(pool, connection, head, request)
        # Over a new connection, which is never stale: there is no third attempt.
        connection = await pool.acquire(timeouts, force_new=True)


def _build_response(
    pool: Pool, connection: Connection, head: ResponseHead, request: httpx.Request
) -> httpx.Response:
    stream: httpx.AsyncByteStream = _ResponseBody(pool, connection, request)
    if connection.is_complete:
        # The whole body has arrived, so the connection is free before the caller reads it.
        stream = httpx.ByteStream(connection.take_body())
        pool.release(connection)
    return httpx.Response(
        head.status,
        headers=head.fields,
        stream=stream,
        extensions={"http_version": b"HTTP/" + head.version.encode()},
    )
