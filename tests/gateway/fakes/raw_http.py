"""HTTP/1.1 over a plain socket, to see the bytes that a client library would hide."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

PROFILE = "/users/7"


@asynccontextmanager
async def send_get(url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """Send a GET and yield the reader of the response; closes the connection at the end."""
    base = httpx.URL(url)
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {base.host}\r\n\r\n".encode())
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """The status line and the header fields, lower-case."""
    return (await reader.readuntil(b"\r\n\r\n")).lower()


async def wait_for_counts(http: httpx.AsyncClient, url: str, **expected: int) -> dict[str, int]:
    """Poll a service's `/_seen` until it has the expected counts."""
    async with asyncio.timeout(20):
        while True:
            counts: dict[str, int] = (await http.get(f"{url}/_seen")).json()
            if expected.items() <= counts.items():
                return counts
            await asyncio.sleep(0.005)


async def put_dial(http: httpx.AsyncClient, url: str, **dial: object) -> None:
    """Set a service's dial."""
    (await http.put(f"{url}/_dial", json=dial)).raise_for_status()
