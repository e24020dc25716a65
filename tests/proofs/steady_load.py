"""A steady load on a route, and callers who watch how it responds to their token.

Each connection is kept alive. Only the changes of the status are recorded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.gateway.proxy.websocket.open_tunnel import ACCEPTED, HANDSHAKE
from tests.proofs.revocable_gateways import Caller

PAUSE_SECONDS = 0.02
"""The pause of a caller between two requests."""

_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_RESPONSES = {b"/events": _EVENTS, b"/chat": ACCEPTED}
_STREAMS = {
    "events": b"GET /service/events HTTP/1.1\r\nHost: gateway\r\n",
    "websocket": HANDSHAKE.removesuffix(b"\r\n"),
}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond at once; `/events` and `/chat` then stay open until the gateway ends them."""
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            response = _RESPONSES.get(head.split(b" ", 2)[1])
            writer.write(response or _SHORT)
            if response is not None:
                await reader.read()
                break
    writer.close()


@asynccontextmanager
async def serve_load() -> AsyncIterator[int]:
    """Serve short responses, event streams and WebSockets on a free port."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Watch:
    """Sends requests with one token to one gateway; `changes` has each new status and its time.

    The status is 0 while there is no connection.
    """

    port: int
    caller: Caller
    changes: list[tuple[float, int]] = field(default_factory=list)
    requests: int = 0

    @property
    def statuses(self) -> list[int]:
        """The statuses in their order."""
        return [status for _, status in self.changes]

    async def run(self) -> None:
        """Send requests until cancelled."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._send_on_one_connection()
            self._record(0)
            await asyncio.sleep(PAUSE_SECONDS)

    async def wait_for(self, status: int) -> float:
        """Wait for a status; return the time of its first response."""
        async with asyncio.timeout(30):
            while not self.changes or self.changes[-1][1] != status:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        return self.changes[-1][0]

    async def _send_on_one_connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while True:
                began = time.monotonic()
                writer.write(build_request(b"GET /service/x HTTP/1.1\r\nHost: a\r\n", self.caller))
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                await reader.readexactly(int(length))
                self.requests += 1
                self._record(int(head[9:12]), began)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            writer.close()

    def _record(self, status: int, at: float | None = None) -> None:
        if not self.changes or self.changes[-1][1] != status:
            self.changes.append((time.monotonic() if at is None else at, status))


def build_request(head: bytes, caller: Caller) -> bytes:
    """Return a request head with the token of a caller."""
    return head + f"Authorization: Bearer {caller.token}\r\n\r\n".encode()


@asynccontextmanager
async def watch(ports: Sequence[int], callers: Sequence[Caller]) -> AsyncIterator[list[Watch]]:
    """Let each caller send requests to each gateway until the end of the block."""
    watches = [Watch(port, caller) for caller in callers for port in ports]
    tasks = [asyncio.create_task(it.run()) for it in watches]
    try:
        yield watches
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def open_stream(port: int, kind: str, caller: Caller) -> asyncio.Task[float]:
    """Open a stream; return a task with the time of its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(build_request(_STREAMS[kind], caller))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")), head
    return asyncio.create_task(_wait_for_end(reader, writer))


async def _wait_for_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            if b"0\r\n\r\n" in data or data.startswith(b"\x88"):  # the last chunk, a close frame
                break
    ended = time.monotonic()
    writer.close()
    return ended
