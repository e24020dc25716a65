"""A side that is killed ends the other one within 200 ms: event streams, bodies, WebSockets."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.proofs.gateway_process import open_gateway
from tests.proofs.held_streams import HeldStreams
from tests.running_demo import ROOT

pytestmark = [pytest.mark.prove, pytest.mark.timeout(120)]

STREAMS = 100
MAX_SECONDS = 0.2


@asynccontextmanager
async def run_side(*args: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, bytes]]:
    """Run one side in a process; return it with its first line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.held_streams", *map(str, args),
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, await process.stdout.readline()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def kill(process: asyncio.subprocess.Process, name: str, left: HeldStreams) -> None:
    """Kill one side of all streams, and check how long the other side is left."""
    await asyncio.sleep(0.5)  # all is quiet, or all buffers are full
    killed_at = time.monotonic()
    process.kill()
    await wait_until(lambda: len(left.ended_at) == STREAMS)
    seconds = [ended_at - killed_at for ended_at in left.ended_at]
    median, most = statistics.median(seconds) * 1_000, max(seconds) * 1_000
    print(f"{name}: {STREAMS} ended, median {median:.1f} ms, max {most:.1f} ms", flush=True)
    assert max(seconds) < MAX_SECONDS


@pytest.mark.parametrize("kind", ["events", "download", "upload", "websocket"])
async def test_callers_that_are_killed_leave_the_service(kind: str) -> None:
    service = HeldStreams()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    try:
        async with open_gateway(server.sockets[0].getsockname()[1]) as gateway:
            command = ("callers", gateway.port, kind, STREAMS)
            async with run_side(*command) as (process, line):
                assert line == b"open\n"
                await wait_until(lambda: service.open == STREAMS)
                await kill(process, f"{kind}, callers killed", service)
    finally:
        server.close()


# Not a download: its caller gets the end after all bytes that are on their way.
@pytest.mark.parametrize("kind", ["events", "upload", "websocket"])
async def test_a_service_that_is_killed_leaves_its_callers(kind: str) -> None:
    callers = HeldStreams()
    async with (
        run_side("service") as (process, line),
        open_gateway(int(line)) as gateway,
    ):
        for _ in range(STREAMS):
            await callers.call(gateway.port, kind)
        await kill(process, f"{kind}, service killed", callers)
