"""HTTP by hand, to see on the wire what a client library would smooth over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx


@asynccontextmanager
async def asking(url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """Send a GET and give what comes back; the connection is closed on leaving."""
    base = httpx.URL(url)
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {base.host}\r\n\r\n".encode())
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def header(reader: asyncio.StreamReader) -> bytes:
    """The status line and the header fields, lower-case."""
    return (await reader.readuntil(b"\r\n\r\n")).lower()


async def seen(http: httpx.AsyncClient, url: str, **expected: int) -> dict[str, int]:
    """The counts of a service, as soon as they are as expected."""
    async with asyncio.timeout(20):
        while True:
            counts: dict[str, int] = (await http.get(f"{url}/_seen")).json()
            if expected.items() <= counts.items():
                return counts
            await asyncio.sleep(0.005)
