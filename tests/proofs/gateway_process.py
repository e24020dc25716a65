"""Starts the gateway of `websocket_gateway.py` in a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.running_demo import ROOT


@dataclass
class Gateway:
    """The gateway in its process."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        """The URL of a WebSocket."""
        return f"ws://127.0.0.1:{self.port}/service/chat"

    async def count(self) -> dict[str, int]:
        """Return its counts."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        counts: dict[str, int] = json.loads(await self.process.stdout.readline())
        return counts

    async def settle(self) -> dict[str, int]:
        """Wait until it has no stream; return its counts."""
        for _ in range(200):
            counts = await self.count()
            if not counts["streams"]:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        return await self.count()


@asynccontextmanager
async def open_gateway(service_port: int) -> AsyncIterator[Gateway]:
    """Run a gateway whose route `/service/` leads to this port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.websocket_gateway", str(service_port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Gateway(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0
