"""Many calls of every kind at once: good, refused, cut, reset, too large, too late, given up."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

from clients.orders import Orders
from gateway.transport.transport import Transport
from gateway.upstream.errors import UpstreamError
from gateway.upstream.model import ResponseModel
from tests.gateway.transport.scripted_server import HELLO, OK, Peer

IN_FLIGHT = 64
_JSON = b'{"id": 7}'
_GOOD = OK + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n" + _JSON
_LARGE = OK + b"Content-Length: 300000\r\n\r\n" + b"a" * 300_000
_SERVED = {
    b"/good": _GOOD,
    b"/chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"/error": _GOOD.replace(b"200 OK", b"500 No"),
    b"/large": _LARGE,
    b"/stray": HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    b"/half": _GOOD[:-4],
    b"/reset": _GOOD[:-4],
    b"/silent": b"",
}


class Thing(ResponseModel):
    """What a good answer holds."""

    id: int


class Soaked(Orders):
    """The service as a typed client sees it."""

    async def thing(self, path: str) -> Thing:
        """What is at `path`."""
        return await self.get(path, into=Thing)

    async def thing_at_once(self, path: str) -> Thing:
        """What is at `path`, in no time."""
        return await self.get(path, into=Thing, timeout=0.002)


class Service:
    """The server; `opened` and `closed` count its connections."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection by the paths it is asked for."""
        self.opened += 1
        try:
            while not peer.writer.is_closing():
                path = (await peer.request()).split(b" ", 2)[1]
                peer.send(_SERVED[path])
                if path == b"/half":
                    return
                if path == b"/reset":
                    await asyncio.sleep(0)
                    peer.reset()
        finally:
            self.closed += 1


class Soak:
    """Calls of every kind, in an order that a seed gives; `outcomes` counts what came of them."""

    def __init__(self, url: str, transport: Transport, *, seed: int) -> None:
        self._url = url
        self._transport = transport
        self._client = Soaked(url, max_body_bytes=100_000, transport=transport)
        self._random = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self._kinds: list[Callable[[], Awaitable[object]]] = [
            lambda: self._client.thing("/good"),
            lambda: self._client.thing("/good"),
            lambda: self._client.thing("/error"),
            lambda: self._client.thing("/large"),
            lambda: self._client.thing("/half"),
            lambda: self._client.thing("/reset"),
            lambda: self._client.thing_at_once("/silent"),
            lambda: self._read("/good"),
            lambda: self._read("/chunks"),
            lambda: self._read("/stray"),
            lambda: self._read("/large"),
            lambda: self._abandoned("/large"),
            lambda: self._cancelled("/good"),
            lambda: self._cancelled("/large"),
            lambda: self._cancelled("/silent"),
        ]

    async def calls(self, number: int) -> None:
        """Make so many calls, `IN_FLIGHT` at a time."""
        left = iter(range(number))

        async def caller() -> None:
            for _ in left:
                await self._one()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(caller())

    async def _one(self) -> None:
        try:
            await self._random.choice(self._kinds)()
        except (UpstreamError, httpx.TransportError) as exc:
            self.outcomes[type(exc).__name__] += 1
        else:
            self.outcomes["ok"] += 1

    async def _answer(self, path: str) -> httpx.Response:
        timeout = dict.fromkeys(("connect", "pool", "read", "write"), 10.0)
        request = httpx.Request("GET", self._url + path, extensions={"timeout": timeout})
        return await self._transport.handle_async_request(request)

    async def _read(self, path: str) -> None:
        await (await self._answer(path)).aread()

    async def _abandoned(self, path: str) -> None:
        response = await self._answer(path)
        async for _ in response.aiter_raw():
            break
        await response.aclose()

    async def _cancelled(self, path: str) -> None:
        call = asyncio.create_task(self._read(path))
        for _ in range(self._random.randrange(12)):
            await asyncio.sleep(0)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
