"""Concurrent clients over plain sockets, which cost less than the gateway under test."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class TimedResponse:
    """A response, and its duration in seconds."""

    status: int
    body: Any
    seconds: float


async def get(url: str, path: str, token: str) -> TimedResponse:
    """Send a GET on a new connection."""
    started_at = perf_counter()
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    return TimedResponse(int(head.split(b" ", 2)[1]), json.loads(body), perf_counter() - started_at)


async def get_concurrently(count: int, url: str, path: str, token: str) -> list[TimedResponse]:
    """Send `count` requests concurrently, each on its own connection."""
    return await asyncio.gather(*(get(url, path, token) for _ in range(count)))


def count_connections(url: str) -> int:
    """Count the established connections to the port of `url`, from /proc/net/tcp."""
    port = f"{int(url.rsplit(':', 1)[1]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port}") and row[3] == ESTABLISHED for row in rows)
