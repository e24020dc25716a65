"""The short way over our own transport: bytes out, bytes in, and no object of httpx's between."""

import asyncio
from functools import partial

import httpx

from gateway.transport.connection import Connection
from gateway.transport.pool import Pool
from gateway.transport.raw_response import OnComplete, Outcome, RawResponse
from gateway.transport.timeouts import DeadlineTimeouts
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.httpx_sender import Bounds, HttpxSender


class DirectSender(HttpxSender):
    """A channel on the transport's connections themselves; what it sends and reads is the same."""

    def __init__(self, transport: Transport, address: BaseUrl, bounds: Bounds) -> None:
        super().__init__(transport, address, bounds)
        self._pool_of = transport.pool
        # That of the last `fetch`. The transport forgets only empty ones: nothing is idle in those.
        self._pool: Pool | None = None
        self._most = bounds.max_body_bytes
        self._middle = f" HTTP/1.1\r\nHost: {address.host}\r\n"

    def begin(self, call: Call, ends_at: float, landed: OnComplete) -> Connection | None:
        """Send a request, if there is an idle connection."""
        data = self._data(call)
        connection = None if self._pool is None else self._pool.acquire_nowait()
        if connection is not None:
            connection.send_request(data, call.method, ends_at, self._most, landed)
        return connection

    async def fetch(self, call: Call, seconds: float, *, fresh: bool) -> RawResponse:
        """Send a request and read its answer, all of it within so many seconds."""
        data = self._data(call)
        pool = self._pool = self._pool_of(self._address.origin)
        ends_at = pool.loop.time() + seconds
        connection = None if fresh else pool.acquire_nowait()
        if connection is None:
            connection = await self._acquired(pool, ends_at, fresh=fresh)
        while True:
            answer: asyncio.Future[tuple[Outcome, bool]] = pool.loop.create_future()
            landed = partial(_settle, answer)
            try:
                connection.send_request(data, call.method, ends_at, self._most, landed)
                outcome, may_ask_again = await answer
            except BaseException:
                connection.abandon(landed)
                raise
            if isinstance(outcome, RawResponse):
                return outcome
            if not may_ask_again:
                try:
                    raise outcome
                finally:
                    # Its trace would hold them, and they it.
                    del connection, answer, landed, outcome
            # It went home and was the last there, perhaps, and the transport forgot the pool.
            pool = self._pool = self._pool_of(self._address.origin)
            connection = await self._acquired(pool, ends_at, fresh=True)

    async def _acquired(self, pool: Pool, ends_at: float, *, fresh: bool) -> Connection:
        waits = DeadlineTimeouts(pool.loop, ends_at, self._bounds.connect_timeout)
        return await pool.acquire(waits, force_new=fresh)

    def _data(self, call: Call) -> bytes:
        target, lines, body = call.written()
        head = f"{call.method} {self._address.path}{target}{self._middle}{lines}\r\n"
        return head.encode("ascii") + body


def _settle(answer: asyncio.Future[tuple[Outcome, bool]], outcome: Outcome, again: bool) -> None:
    """Wake who waits, if anybody still does."""
    if not answer.done():
        answer.set_result((outcome, again))


def sender_over(
    transport: httpx.AsyncBaseTransport, address: BaseUrl, bounds: Bounds
) -> HttpxSender:
    """The shortest way over `transport`; one derived from ours may do something else than ours."""
    if type(transport) is Transport:
        return DirectSender(transport, address, bounds)
    return HttpxSender(transport, address, bounds)
