"""A mix of concurrent calls: successful, failed, truncated, reset, too large, late, cancelled."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

from gateway.transport.transport import Transport
from gateway.upstream.errors import UpstreamError
from gateway.upstream.model import ResponseModel
from tests.gateway.transport.scripted_server import HELLO, OK, Peer
from tests.sample.clients.orders import Orders

IN_FLIGHT = 64
_JSON = b'{"id": 7}'
_GOOD = OK + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n" + _JSON
_LARGE = OK + b"Content-Length: 300000\r\n\r\n" + b"a" * 300_000
_RESPONSES = {
    b"/good": _GOOD,
    b"/chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"/error": _GOOD.replace(b"200 OK", b"500 No"),
    b"/large": _LARGE,
    b"/stray": HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    b"/half": _GOOD[:-4],
    b"/reset": _GOOD[:-4],
    b"/silent": b"",
}


class Item(ResponseModel):
    """The body of a successful response."""

    id: int


class SoakClient(Orders):
    """The typed client of the service."""

    async def fetch(self, path: str) -> Item:
        """Fetch `path`."""
        return await self.get(path, into=Item)

    async def fetch_within_2_ms(self, path: str) -> Item:
        """Fetch `path` with a timeout of 2 ms."""
        return await self.get(path, into=Item, timeout=0.002)


class SoakServer:
    """The server, which counts the connections that it opened and closed."""

    def __init__(self) -> None:
        self.connections_opened = 0
        self.connections_closed = 0

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection; the path of each request selects the response."""
        self.connections_opened += 1
        try:
            while not peer.writer.is_closing():
                path = (await peer.read_request()).split(b" ", 2)[1]
                peer.send(_RESPONSES[path])
                if path == b"/half":
                    return
                if path == b"/reset":
                    await asyncio.sleep(0)
                    peer.reset()
        finally:
            self.connections_closed += 1


class Soak:
    """Makes calls of every kind in a seeded random order; `outcomes` counts their results."""

    def __init__(self, url: str, transport: Transport, *, seed: int) -> None:
        self._url = url
        self._transport = transport
        self._client = SoakClient(url, max_body_bytes=100_000, transport=transport)
        self._random = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self._kinds: list[Callable[[], Awaitable[object]]] = [
            lambda: self._client.fetch("/good"),
            lambda: self._client.fetch("/good"),
            lambda: self._client.fetch("/error"),
            lambda: self._client.fetch("/large"),
            lambda: self._client.fetch("/half"),
            lambda: self._client.fetch("/reset"),
            lambda: self._client.fetch_within_2_ms("/silent"),
            lambda: self._read_fully("/good"),
            lambda: self._read_fully("/chunks"),
            lambda: self._read_fully("/stray"),
            lambda: self._read_fully("/large"),
            lambda: self._read_partly("/large"),
            lambda: self._read_and_cancel("/good"),
            lambda: self._read_and_cancel("/large"),
            lambda: self._read_and_cancel("/silent"),
        ]

    async def make_calls(self, count: int) -> None:
        """Make `count` calls, `IN_FLIGHT` at a time."""
        remaining = iter(range(count))

        async def work() -> None:
            for _ in remaining:
                await self._make_call()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())

    async def _make_call(self) -> None:
        try:
            await self._random.choice(self._kinds)()
        except (UpstreamError, httpx.TransportError) as exc:
            self.outcomes[type(exc).__name__] += 1
        else:
            self.outcomes["ok"] += 1

    async def _open_response(self, path: str) -> httpx.Response:
        timeout = dict.fromkeys(("connect", "pool", "read", "write"), 10.0)
        request = httpx.Request("GET", self._url + path, extensions={"timeout": timeout})
        return await self._transport.handle_async_request(request)

    async def _read_fully(self, path: str) -> None:
        await (await self._open_response(path)).aread()

    async def _read_partly(self, path: str) -> None:
        response = await self._open_response(path)
        async for _ in response.aiter_raw():
            break
        await response.aclose()

    async def _read_and_cancel(self, path: str) -> None:
        call = asyncio.create_task(self._read_fully(path))
        for _ in range(self._random.randrange(12)):
            await asyncio.sleep(0)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
