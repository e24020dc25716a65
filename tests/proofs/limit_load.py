"""A steady load on a limited route of several gateways; each response says which limit is in force.

The quota is that of the header field RateLimit-Policy, so no gateway is asked for its version.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.tunable_gateway import issue_token

_QUOTA = re.compile(rb'ratelimit-policy:[^\r]*"dashboards";q=(\d+)', re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Load:
    """What the gateways have responded with; `seen` has when each port first had each quota."""

    ports: Sequence[int]
    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    seen: dict[tuple[int, int], float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def requests_per_second(self) -> float:
        """The rate from the beginning until now."""
        return self.statuses.total() / (time.monotonic() - self.began)

    async def wait_for(self, quota: int) -> float:
        """Wait until every gateway has responded with a quota; return when the last one did."""
        async with asyncio.timeout(30):
            while not all((port, quota) in self.seen for port in self.ports):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return max(self.seen[port, quota] for port in self.ports)

    async def send(self, port: int, user: str, every: float) -> None:
        """Send requests of one user on one connection, one each `every` seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        fields = f"Host: a\r\nAuthorization: Bearer {issue_token(user)}\r\n"
        request = f"GET /dashboard HTTP/1.1\r\n{fields}\r\n".encode()
        due = time.monotonic()
        try:
            while True:
                writer.write(request)
                self._record(port, await self._read_head(reader))
                due += every
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.errors.append(f"{port}: {error!r}")
        finally:
            writer.close()

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        return head

    def _record(self, port: int, head: bytes) -> None:
        self.statuses[int(head[9:12])] += 1
        quota = _QUOTA.search(head)
        if quota is not None:
            self.seen.setdefault((port, int(quota[1])), time.monotonic())


@asynccontextmanager
async def run_load(ports: Sequence[int], users: int, per_second: int) -> AsyncIterator[Load]:
    """Send so many requests a second in all, of `users` users at each gateway."""
    load = Load(ports)
    every = users * len(ports) / per_second
    tasks = [
        asyncio.create_task(load.send(port, f"{port}-{user}", every))
        for port in ports
        for user in range(users)
    ]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
