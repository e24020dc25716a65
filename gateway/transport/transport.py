"""An httpx transport for HTTP/1.1, optimized for many short calls to few services."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Literal

import httpx

from gateway.transport.connection import Connection
from gateway.transport.exchange import Exchange
from gateway.transport.origin import Origin, OriginConnector
from gateway.transport.pool import Pool
from gateway.transport.raw_response import RawResponse
from gateway.transport.request_writer import SerializedRequest
from gateway.transport.response_parser import ResponseHead
from gateway.transport.stale_retry import retry_if_stale
from gateway.transport.timeouts import RequestTimeouts
from gateway.transport.tls import ClientTls

_MANY_POOLS = 64


class Transport(httpx.AsyncBaseTransport):
    """Keep-alive connections, at most `max_connections` for each origin.

    Its errors are httpx's own. A connection is used again only after a complete exchange. If a
    keep-alive connection is stale, an idempotent request is sent once more over a new connection.
    Requests are HTTP/1.1, over no proxy, and cannot upgrade their connection; only an `Exchange` of
    a `pool` can. An idle connection is closed after `idle_seconds`, and any connection after
    `max_age_seconds`, between two requests. `tls` None trusts the CAs of the system.
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
            return await _send_request(self.pool, request)
        except httpx.TransportError as exc:
            exc.request = request
            raise

    async def aclose(self) -> None:
        """Close every connection at once."""
        self._is_closed = True
        for pool in self._pools.values():
            await pool.aclose()

    @property
    def state(self) -> Literal["unused", "reachable", "unreachable"]:
        """Whether connections can be opened, as far as requests have tried."""
        if not self._pools:
            return "unused"
        is_unreachable = any(pool.is_unreachable for pool in self._pools.values())
        return "unreachable" if is_unreachable else "reachable"

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

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange: Exchange | None = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        timeout = RequestTimeouts.from_request(self._request).read
        try:
            while self._exchange and (piece := await self._exchange.receive_body(timeout)):
                yield piece
        except httpx.TransportError as exc:
            exc.request = self._request
            raise
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Release the connection; if the body has not been read to its end, that closes it."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()


async def _send_request(
    pool_of: Callable[[Origin], Pool], request: httpx.Request
) -> httpx.Response:
    serialized = await SerializedRequest.serialize(request)
    timeouts, origin = RequestTimeouts.from_request(request), Origin.from_url(request.url)

    async def acquire(force_new: bool) -> Connection:
        return await pool_of(origin).acquire(timeouts, force_new=force_new)

    async def attempt(connection: Connection) -> tuple[httpx.Response | httpx.TransportError, bool]:
        exchange = Exchange(connection)
        try:
            head = await _exchange_heads(exchange, serialized, timeouts)
        except httpx.TransportError as error:
            is_stale = exchange.is_retryable
            exchange.close()
            return error, is_stale
        except BaseException:
            exchange.close()
            raise
        return _build_response(exchange, head, request), False

    return await retry_if_stale(acquire, attempt)


async def _exchange_heads(
    exchange: Exchange, request: SerializedRequest, timeouts: RequestTimeouts
) -> ResponseHead | RawResponse:
    """Send a request, and wait for the head of its response."""
    head, body, is_head, is_replayable = request
    if isinstance(body, bytes):
        exchange.begin(head + body, is_head=is_head, is_replayable=is_replayable)
        await exchange.drain(timeouts.write)
    else:
        exchange.begin(head, is_head=is_head, has_more=True)
        await _send_body(exchange, body, timeouts.write)
    return await exchange.receive_head(timeouts.read)


async def _send_body(
    exchange: Exchange, body: AsyncGenerator[bytes, None], seconds: float | None
) -> None:
    """Write a body piece by piece; stop if the final response begins early."""
    async with aclosing(body) as pieces:
        async for piece in pieces:
            # Still sending in either case: the connection is not reusable.
            if exchange.has_head or not await exchange.write(piece, seconds=seconds):
                return
    exchange.end_request()


def _build_response(
    exchange: Exchange, head: ResponseHead | RawResponse, request: httpx.Request
) -> httpx.Response:
    stream: httpx.AsyncByteStream
    if isinstance(head, RawResponse):
        fields, version, stream = head.headers.raw, "1.1", httpx.ByteStream(head.body)
    else:
        fields, version = head.fields, head.version
        stream = _ResponseBody(exchange, request)
        if exchange.is_complete:
            # The whole body has arrived, so the connection is free before the caller reads it.
            stream = httpx.ByteStream(exchange.take_body())
            exchange.close()
    return httpx.Response(
        head.status,
        headers=fields,
        stream=stream,
        extensions={"http_version": b"HTTP/" + version.encode()},
    )
