"""Senders carry the requests of typed clients to one service.

`HttpxSender` works over any transport of httpx. `DirectSender` works on the connections of our
own transport, without an object of httpx between. Both send the same bytes and give the same
responses: `tests/gateway/upstream/test_call.py` compares the requests, `test_client.py`,
`test_decoding.py` and `test_error_mapping.py` beside it the responses.
"""

import asyncio
from functools import partial
from typing import NamedTuple, cast

import httpx

from gateway.event_loop import TimeoutAfterPendingIo
from gateway.transport.connection import Connection
from gateway.transport.pool import Pool
from gateway.transport.raw_response import OnComplete, Outcome, RawResponse
from gateway.transport.response_parser import select_headers
from gateway.transport.timeouts import DeadlineTimeouts
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.service_headers import ServiceHeaders


class Bounds(NamedTuple):
    """Seconds that a connection may take to open, and bytes that a response body may have."""

    connect_timeout: float
    max_body_bytes: int


class HttpxSender:
    """Sends requests over any transport of httpx; it neither judges nor decodes responses."""

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

        `ends_at` is a time of the event loop's clock. Returns the connection, on which the
        request can be abandoned. None means that nothing was sent: use `send`.

        Raises:
            ValueError: the call cannot be serialized.
        """
        return None  # a transport of httpx does not say whether it would wait

    async def send(self, call: Call, seconds: float, *, force_new: bool = False) -> RawResponse:
        """Send a request and read its response within `seconds`.

        `force_new` asks for a connection that has served no request before.

        Raises:
            ValueError: the call cannot be serialized.
            TimeoutError, httpx.TimeoutException: it took longer.
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

        Raises: as `send` does.
        """
        request = self._request(call)
        timeouts: dict[str, float] = request.extensions["timeout"]
        async with TimeoutAfterPendingIo(seconds):
            response = await self._transport.handle_async_request(request)
        # Transports look the time-out up when the body is read, and so after the head.
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
        # The stream itself: unlike `aiter_raw` it also gives what a mock has read already.
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
    """Sends requests on the connections of our own transport, as bytes."""

    def __init__(
        self,
        transport: Transport,
        base_url: BaseUrl,
        bounds: Bounds,
        headers: ServiceHeaders | None = None,
    ) -> None:
        super().__init__(transport, base_url, bounds, headers)
        self._pool_of = transport.pool
        # The pool of the last `send`. The transport forgets only empty pools, and an empty pool
        # has no idle connection.
        self._pool: Pool | None = None
        self._max_body_bytes = bounds.max_body_bytes
        self._after_target = f" HTTP/1.1\r\nHost: {base_url.host}\r\n"

    def try_begin(self, call: Call, ends_at: float, on_complete: OnComplete) -> Connection | None:
        """Send a request if there is an idle connection."""
        data = self._serialize(call)
        connection = None if self._pool is None else self._pool.acquire_nowait()
        if connection is not None:
            connection.send_request(data, call.method, ends_at, self._max_body_bytes, on_complete)
        return connection

    async def send(self, call: Call, seconds: float, *, force_new: bool = False) -> RawResponse:
        """Send a request and read its response within `seconds`.

        Cases: an idle connection serves at once; otherwise the pool opens one or makes us wait.
        A connection that had served before and turns out to be closed by the server (a stale
        keep-alive connection) is replaced once by a new one, where the request may be repeated.
        """
        data = self._serialize(call)
        pool = self._pool = self._pool_of(self._base_url.origin)
        ends_at = pool.loop.time() + seconds
        connection = None if force_new else pool.acquire_nowait()
        if connection is None:
            connection = await self._acquire(pool, ends_at, force_new=force_new)
        while True:
            answer: asyncio.Future[tuple[Outcome, bool]] = pool.loop.create_future()
            on_complete = partial(_set_outcome, answer)
            try:
                connection.send_request(
                    data, call.method, ends_at, self._max_body_bytes, on_complete
                )
                outcome, is_retryable = await answer
            except BaseException:
                connection.abandon(on_complete)
                raise
            if isinstance(outcome, RawResponse):
                return outcome
            if not is_retryable:
                try:
                    raise outcome
                finally:
                    # The traceback holds this frame: a cycle, if the frame held the error.
                    del connection, answer, on_complete, outcome
            # The stale connection may have been the last one, and its pool forgotten.
            pool = self._pool = self._pool_of(self._base_url.origin)
            connection = await self._acquire(pool, ends_at, force_new=True)

    async def _acquire(self, pool: Pool, ends_at: float, *, force_new: bool) -> Connection:
        timeouts = DeadlineTimeouts(pool.loop, ends_at, self._bounds.connect_timeout)
        return await pool.acquire(timeouts, force_new=force_new)

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
    """The fastest sender over `transport`.

    A class derived from our transport may do something else with requests than ours does, so it
    is used through httpx's interface.
    """
    kind = DirectSender if type(transport) is Transport else HttpxSender
    return kind(transport, base_url, bounds, headers)  # type: ignore[arg-type]  # as just seen


def _split_line(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


def _set_outcome(
    answer: asyncio.Future[tuple[Outcome, bool]], outcome: Outcome, is_retryable: bool
) -> None:
    """Give the outcome to the waiter, unless it was cancelled."""
    if not answer.done():
        answer.set_result((outcome, is_retryable))
