"""Many clients at once: raw sockets, so that the load costs less than what it measures."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, and how long it took in seconds."""

    status: int
    body: Any
    seconds: float


async def ask(url: str, path: str, token: str) -> Answered:
    """GET on a connection of its own."""
    begun = perf_counter()
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
    return Answered(int(head.split(b" ", 2)[1]), json.loads(body), perf_counter() - begun)


async def ask_at_once(count: int, url: str, path: str, token: str) -> list[Answered]:
    """`count` clients, each with one request, all at the same time."""
    return await asyncio.gather(*(ask(url, path, token) for _ in range(count)))


def connections_to(url: str) -> int:
    """Established connections of this machine to that loopback port, from the kernel's table."""
    port = f"{int(url.rsplit(':', 1)[1]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port}") and row[3] == ESTABLISHED for row in rows)
