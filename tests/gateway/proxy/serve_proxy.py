"""A gateway with proxied routes on a real socket, and a scripted service behind them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from gateway.app import Gateway, build_app
from gateway.app_loader import Application
from gateway.middleware.load_shedding import LoadShedding
from gateway.open_clients import OpenServices
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.stream_limit import StreamLimit
from gateway.server.lifecycle import RunningServer, open_server
from gateway.settings.schema import Issuer, Server, Service, Settings, StorageSettings
from gateway.transport.pool import Pool
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from tests.gateway.transport.scripted_server import Script, ScriptedServer, serve_script

TIMEOUT = 10
PROXY = Proxy(
    "/service/{path:path}", to="service", public="a test", identity="none", max_body_bytes=10**10
)


@dataclass
class Caller:
    """A connection to the gateway that sends bytes as they are."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    def get(self, path: str = "/service/x", *lines: bytes, method: str = "GET") -> None:
        """Send the head of a request."""
        head = [b"%b %b HTTP/1.1" % (method.encode(), path.encode()), b"Host: gateway", *lines]
        self.writer.write(b"\r\n".join(head) + b"\r\n\r\n")

    async def read_head(self) -> bytes:
        """Read the head of a response."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT)

    async def read(self, size: int) -> bytes:
        """Read so many bytes."""
        return await asyncio.wait_for(self.reader.readexactly(size), TIMEOUT)

    async def read_until(self, end: bytes) -> bytes:
        """Read until these bytes."""
        return await asyncio.wait_for(self.reader.readuntil(end), TIMEOUT)

    async def read_to_the_end(self) -> bytes:
        """Read until the gateway closes the connection; raises ConnectionError if it resets it."""
        return await asyncio.wait_for(self.reader.read(), TIMEOUT)

    async def read_body(self) -> bytes:
        """Read a response with a Content-Length, and return its body."""
        head = (await self.read_head()).lower()
        length = head.split(b"content-length: ")[1].split(b"\r\n")[0]
        return await self.read(int(length))


@dataclass
class ServedProxy:
    """A running gateway, and the service behind it."""

    app: Gateway
    server: RunningServer
    service: ScriptedServer
    callers: list[Caller]

    async def connect(self) -> Caller:
        """Open a connection to the gateway."""
        port = int(self.server.url.rpartition(":")[2])
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))
        self.callers.append(caller)
        return caller

    @property
    def streams(self) -> StreamLimit:
        """The limit of streams."""
        limit: StreamLimit = self.app.state.resources[StreamLimit]
        return limit

    @property
    def in_flight(self) -> int:
        """The number of requests that count against `server.max_in_flight`."""
        stack: Any = self.app.middleware_stack
        while not isinstance(stack, LoadShedding):
            stack = stack.app
        return stack.in_flight

    @property
    def pool(self) -> Pool:
        """The connections to the service."""
        opened = self.app.state.resources[OpenServices]["service"]
        assert isinstance(opened.transport, Transport)
        return opened.transport.pool(BaseUrl.of(str(opened.service.url)).origin)


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, at most TIMEOUT seconds."""
    for _ in range(TIMEOUT * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


@asynccontextmanager
async def serve_proxy(
    script: Script,
    *proxies: Proxy,
    server: dict[str, Any] | None = None,
    service: dict[str, Any] | None = None,
    issuers: Sequence[Issuer] = (),
    database_url: str | None = None,
    **changes: Any,
) -> AsyncIterator[ServedProxy]:
    """Serve PROXY with `changes`, or `proxies`; `server` and `service` are settings."""
    async with serve_script(script) as upstream:
        settings = Settings(
            upstreams={"service": Service(**{"url": upstream.url, **(service or {})})},
            server=Server(**{"host": "127.0.0.1", "port": 0, **(server or {})}),
            issuers=tuple(issuers),
            database_url=database_url,
            storage=StorageSettings(poll_seconds=0.05),
        )
        declared = proxies or (replace(PROXY, **changes),)
        app = build_app(settings, Application(proxies=declared))
        async with open_server(app, settings.server) as running:
            served = ServedProxy(app, running, upstream, [])
            try:
                yield served
            finally:
                for caller in served.callers:
                    caller.writer.transport.abort()
