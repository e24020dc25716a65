"""Busy clients and probes, while other connections say nothing or stop in the middle of a head."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.e2e.load import get

HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 60_000
SENT = (b"", b"GET /hea", HALF_HEAD)
"""What silent connections send, in turn: nothing, half a line, and most of a large head."""

AT_ONCE = 100


@dataclass
class Outcome:
    """The statuses of the requests by path; 0 stands for a connection that failed."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)

    def find_failures(self) -> list[tuple[str, int]]:
        """Return path and status of all requests without a 200."""
        return [(path, status) for path, status in self.statuses if status != 200]


@asynccontextmanager
async def open_silent_connections(port: int, count: int) -> AsyncIterator[None]:
    """Open connections that are silent until the block ends, or the server closes them."""
    writers: list[asyncio.StreamWriter] = []
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one(number: int) -> None:
        async with gate:
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writers.append(writer)
                writer.write(SENT[number % len(SENT)])

    await asyncio.gather(*(open_one(number) for number in range(count)))
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def send_while(
    stop: asyncio.Event, outcome: Outcome, port: int, path: str, token: str
) -> None:
    """Send one request after the other on one connection until `stop` is set."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while not stop.is_set():
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            outcome.statuses[path, int(head.split(b" ", 2)[1])] += 1
    except (ConnectionError, asyncio.IncompleteReadError):
        outcome.statuses[path, 0] += 1
    finally:
        writer.transport.abort()


async def probe_while(stop: asyncio.Event, outcome: Outcome, url: str) -> None:
    """Send both probes, each on a new connection, until `stop` is set."""
    while not stop.is_set():
        for path in ("/healthz", "/readyz"):
            try:
                status = (await get(url, path, "none")).status
            except (ConnectionError, IndexError):
                status = 0
            outcome.statuses[path, status] += 1
        await asyncio.sleep(0.05)


async def run_busy_clients(
    url: str, path: str, token: str, *, silent: int, busy: int, seconds: float
) -> Outcome:
    """Open the silent connections while busy clients and probes send; go on for `seconds`."""
    port, stop, outcome = int(url.rpartition(":")[2]), asyncio.Event(), Outcome()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(probe_while(stop, outcome, url))
        for _ in range(busy):
            tasks.create_task(send_while(stop, outcome, port, path, token))
        async with open_silent_connections(port, silent):
            await asyncio.sleep(seconds)
            stop.set()
    return outcome
