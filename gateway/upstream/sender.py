"""Senders of the requests of typed clients to one service.

`HttpxSender` works over any httpx transport. `DirectSender` uses the connections of the gateway's
transport directly, without httpx requests and responses. Both send the same bytes and return the
same responses: `tests/gateway/upstream/test_call.py` compares the requests; `test_client.py`,
`test_decoding.py` and `test_error_mapping.py` beside it compare the responses.
"""

import asyncio
from functools import partial
from typing import NamedTuple, cast

import httpx

from gateway.pending_io import TimeoutAfterPendingIo
from gateway.transport.connection import Connection
from gateway.transport.pool import Pool
from gateway.transport.raw_response import OnComplete, Outcome, RawResponse
from gateway.transport.response_parser import select_headers
from gateway.transport.stale_retry import retry_if_stale
from gateway.transport.timeouts import DeadlineTimeouts
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.service_headers import ServiceHeaders


class Bounds(NamedTuple):
    """The seconds for opening a connection, and the maximum size of a response body in bytes."""

    connect_timeout: float
    max_body_bytes: int


class HttpxSender:
    """Sends requests over any httpx transport; it neither checks statuses nor decodes bodies."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        base_url: BaseUrl,
        bounds: Bounds,
        headers: ServiceHeaders | None = None,
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._bounds = bounds
        self._headers = headers

    def try_begin(self, call: Call, ends_at: float, on_complete: OnComplete) -> Connection | None:
        """Send a request if that needs no wait; `on_complete` is called by `ends_at` at the latest.

        `ends_at` is a time of the event loop's clock. Returns the connection, whose `abandon`
        ends the exchange. None means that nothing was sent: use `send`.

        Raises:
            ValueError: the call cannot be serialized.
        """
        return None  # an httpx transport does not report whether it would wait

    async def send(self, call: Call, seconds: float, *, force_new: bool = False) -> RawResponse:
        """Send a request and read its response within `seconds`.

        `force_new` requests a connection that has served no request before.

        Raises:
            ValueError: the call cannot be serialized.
            TimeoutError, httpx.TimeoutException: the response did not arrive in time.
            httpx.RequestError: there is no response.
        """
        async with TimeoutAfterPendingIo(seconds):
            response = await self._transport.handle_async_request(self._request(call))
            try:
                return await self._read(response)
            finally:
                await response.aclose()

    async def open_stream(self, call: Call, seconds: float, read_timeout: float) -> httpx.Response:
        """Send a request and wait for the head of its response, at most `seconds`.

        The body is in `response.stream`; each wait for a piece of it takes at most
        `read_timeout` seconds. The caller closes the response.

        Raises: the same errors as `send`.
        """
        request = self._request(call)
        timeouts: dict[str, float] = request.extensions["timeout"]
        async with TimeoutAfterPendingIo(seconds):
            response = await self._transport.handle_async_request(request)
        # Set after the head: transports look up the read timeout each time they read the body.
        timeouts["read"] = read_timeout
        return response

    def _request(self, call: Call) -> httpx.Request:
        target, lines, body = call.serialize(self._headers)
        return httpx.Request(
            call.method,
            self._base_url.url + target,
            headers=[_split_line(line) for line in lines.splitlines()],
            content=body,
            extensions={"timeout": {"connect": self._bounds.connect_timeout}},
        )

    async def _read(self, response: httpx.Response) -> RawResponse:
        status, fields = response.status_code, response.headers.raw
        raw = RawResponse(status, select_headers(fields), head=fields)
        max_bytes = raw.max_body_to_read(self._bounds.max_body_bytes)
        # Not `aiter_raw`: the stream also yields a body that a mock transport has read already.
        stream = cast("httpx.AsyncByteStream", response.stream)
        body = bytearray()
        try:
            async for piece in stream:
                body += piece
                if len(body) > max_bytes:
                    break
        except httpx.RequestError as exc:
            return raw._replace(body=bytes(body), error=exc)
        return raw._replace(body=bytes(body))


class DirectSender(HttpxSender):
    """Sends requests as bytes on the connections of the gateway's transport."""

    def __init__(
        self,
        transport: Transport,
        base_url: BaseUrl,
        bounds: Bounds,
        headers: ServiceHeaders | None = None,
    ) -> None:
        super().__init__(transport, base_url, bounds, headers)
        self._pool_of = transport.pool
        # The pool of the last `send`. The transport drops only empty pools, and an empty pool has
        # no idle connection.
        self._pool: Pool | None = None
        self._max_body_bytes = bounds.max_body_bytes
        self._after_target = f" HTTP/1.1\r\nHost: {base_url.host}\r\n"

    def try_begin(self, call: Call, ends_at: float, on_complete: OnComplete) -> Connection | None:
        """Send a request if there is an idle connection."""
        data = self._serialize(call)
        connection = None if self._pool is None else self._pool.acquire_nowait()
        if connection is not None:
            method = call.replay_as or call.method
            connection.send_request(data, method, ends_at, self._max_body_bytes, on_complete)
        return connection

    async def send(self, call: Call, seconds: float, *, force_new: bool = False) -> RawResponse:
        """Send a request and read its response within `seconds`.

        An idle connection is used at once; otherwise the pool opens a new one or the call waits
        for one. If the server has closed a keep-alive connection (a stale connection) and the
        request may be retried, it is sent once more over a new connection.
        """
        data, method = self._serialize(call), call.replay_as or call.method
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds

        async def attempt(connection: Connection) -> tuple[Outcome, bool]:
            answer: asyncio.Future[tuple[Outcome, bool]] = loop.create_future()
            on_complete = partial(_set_outcome, answer)
            try:
                connection.send_request(data, method, ends_at, self._max_body_bytes, on_complete)
                return await answer
            except BaseException:
                connection.abandon(on_complete)
                raise

        return await retry_if_stale(partial(self._acquire, ends_at), attempt, force_new=force_new)

    async def _acquire(self, ends_at: float, force_new: bool) -> Connection:
        # Looked up for each attempt: if the stale connection was the last one of the pool, the
        # transport may have dropped it.
        pool = self._pool = self._pool_of(self._base_url.origin)
        connection = None if force_new else pool.acquire_nowait()
        if connection is None:
            timeouts = DeadlineTimeouts(pool.loop, ends_at, self._bounds.connect_timeout)
            connection = await pool.acquire(timeouts, force_new=force_new)
        return connection

    def _serialize(self, call: Call) -> bytes:
        target, lines, body = call.serialize(self._headers)
        head = f"{call.method} {self._base_url.path}{target}{self._after_target}{lines}\r\n"
        return head.encode("ascii") + body


def create_sender(
    transport: httpx.AsyncBaseTransport,
    base_url: BaseUrl,
    bounds: Bounds,
    headers: ServiceHeaders | None = None,
) -> HttpxSender:
    """Return the fastest sender for `transport`.

    A subclass of `Transport` may override its handling of requests, so it is used through the
    httpx interface.
    """
    kind = DirectSender if type(transport) is Transport else HttpxSender
    return kind(transport, base_url, bounds, headers)  # type: ignore[arg-type]  # checked above


def _split_line(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


def _set_outcome(
    answer: asyncio.Future[tuple[Outcome, bool]], outcome: Outcome, is_retryable: bool
) -> None:
    """Set the outcome of `answer`, unless its waiter was cancelled."""
    if not answer.done():
        answer.set_result((outcome, is_retryable))
