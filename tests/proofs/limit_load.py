"""A steady load that reads from each response which limit is in force in its gateway."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.proofs.revocable_gateways import Caller, issue
from tests.proofs.steady_load import build_request

_QUOTA = re.compile(rb'\r\nratelimit-policy: "requests";q=(\d+);w=', re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass
class LimitLoad:
    """Sends requests to one gateway; `first_seen` has the time of each quota's first response.

    The times are those at which the responses arrived, on the monotonic clock.
    """

    port: int
    pause: float
    callers: list[Caller]
    statuses: Counter[int] = field(default_factory=Counter)
    first_seen: dict[int, float] = field(default_factory=dict)
    quota: int = 0

    async def run(self, caller: Caller) -> None:
        """Send requests on one connection until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        request = build_request(b"GET /service/x HTTP/1.1\r\nHost: a\r\n", caller)
        due = time.monotonic()
        try:
            while True:
                sent = time.monotonic()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                assert length is not None
                await reader.readexactly(int(length[1]))
                self._record(head)
                due = max(due + self.pause, sent)
                await asyncio.sleep(due - time.monotonic())
        finally:
            writer.close()

    async def wait_for(self, quota: int) -> float:
        """Wait until the quota is in force; return the time of its first response."""
        async with asyncio.timeout(30):
            while quota not in self.first_seen:  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.002)
        return self.first_seen[quota]

    def _record(self, head: bytes) -> None:
        self.statuses[int(head[9:12])] += 1
        if (found := _QUOTA.search(head)) is not None:
            self.quota = int(found[1])
            self.first_seen.setdefault(self.quota, time.monotonic())


@asynccontextmanager
async def load(
    ports: Sequence[int], *, connections: int, pause: float
) -> AsyncIterator[list[LimitLoad]]:
    """Load each gateway on so many connections; a failure of one fails the block."""
    loads = [LimitLoad(port, pause, [issue() for _ in range(connections)]) for port in ports]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(it.run(caller)) for it in loads for caller in it.callers]
        yield loads
        for task in tasks:
            task.cancel()
