"""A whole gateway on a real socket, with the routes of one test, and all that it logs."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from gateway.access import MayExchange
from gateway.app import create_app
from gateway.app_loader import Application
from gateway.proxy import Proxy
from gateway.settings.schema import Settings
from gateway.telemetry.log_format import JsonFormatter, TextFormatter
from gateway.upstream import ServiceClient
from tests.gateway.server.serve_app import serve_app

REQUEST_ID = "the-request-id"
TIMEOUT_SECONDS = 60


class Items(ServiceClient, name="items"):
    """A typed client of a service that responds to every call with the JSON of `null`."""


@dataclass(frozen=True)
class Reply:
    """A response as it was read from the socket. `is_complete` is false if it was cut off."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    is_complete: bool

    def header(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]

    @property
    def document(self) -> Any:
        """The body as JSON; a constant such as NaN, which JSON does not have, is an error."""

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.body.decode("utf-8"), parse_constant=refuse)


class LogRecords(logging.Handler):
    """All records of all loggers, each formatted in both formats of the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.lines: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(json.loads(JsonFormatter().format(record)))
        TextFormatter().format(record)
        self.changed.set()

    def clear(self) -> None:
        self.records.clear()
        self.lines.clear()

    @property
    def failures(self) -> list[logging.LogRecord]:
        """The records that have a traceback, or report a problem in another way."""
        return [it for it in self.records if it.exc_info or it.levelno >= logging.WARNING]

    @property
    def completed(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "request.completed"]


@dataclass
class Served:
    """A gateway that is being served, and its log."""

    port: int
    log: LogRecords = field(default_factory=LogRecords)

    async def send(self, *requests: bytes) -> list[Reply]:
        """Send the requests one after the other on one connection, and read their responses."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            replies = []
            for request in requests:
                writer.write(request)
                replies.append(
                    await asyncio.wait_for(
                        _read(reader, is_head=request.startswith(b"HEAD ")), TIMEOUT_SECONDS
                    )
                )
        finally:
            writer.close()
        return replies

    async def settle(self, requests: int) -> None:
        """Wait until the log has a line for each request, and asyncio has reported lost errors."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(self.log.completed) < requests:
                self.log.changed.clear()
                await self.log.changed.wait()
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)


@asynccontextmanager
async def serve(
    *routers: APIRouter,
    prepare: Any = None,
    settings: Settings | None = None,
    proxies: Sequence[Proxy] = (),
    access: Sequence[MayExchange] = (),
) -> AsyncIterator[Served]:
    """Serve a gateway with these routes; `prepare` is called with the app before it starts."""
    application = Application(
        clients={"items": Items}, policies={}, routers=routers, proxies=proxies, access=access
    )
    service = httpx.MockTransport(lambda _request: httpx.Response(200, json=None))
    app: FastAPI = create_app(
        settings or Settings(), application=application, transports={"items": service}
    )
    if prepare is not None:
        prepare(app)
    root, accesses, log = logging.getLogger(), logging.getLogger("lockgate.access"), LogRecords()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    accesses.setLevel(logging.DEBUG)  # the level of a successful probe
    try:
        async with app.router.lifespan_context(app), serve_app(app) as port:
            yield Served(port, log)
    finally:
        root.removeHandler(log)
        root.setLevel(level)
        accesses.setLevel(logging.NOTSET)


def build_request(
    target: str,
    method: str = "GET",
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of a request with a fixed id; nothing is encoded or checked."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", f"X-Request-Id: {REQUEST_ID}"]
    fields = dict(headers or {})
    if body is not None:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **fields}
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


async def _read(reader: asyncio.StreamReader, *, is_head: bool) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.strip().split("\r\n")
    fields = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines]
    status, known = int(start.split(" ")[1]), dict(fields)
    content, is_complete = b"", True
    if known.get("transfer-encoding") == "chunked":
        content, is_complete = await _read_chunks(reader)
    elif status not in {204, 304} and not is_head:
        content = await reader.readexactly(int(known["content-length"]))
    return Reply(status, fields, content, is_complete)


async def _read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    content = b""
    try:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    except (asyncio.IncompleteReadError, ConnectionError):
        return content, False
    return content, True
