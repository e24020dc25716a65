"""A gateway that is killed with 100 leases held: all are back after the lease time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.proofs.lease_gateway import LEASE_SECONDS, LIMIT
from tests.redis_server import RedisServer
from tests.running_demo import ROOT

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(300)]

RUNS = 5


@asynccontextmanager
async def open_gateway(redis_url: str) -> AsyncIterator[tuple[int, int]]:
    """Run a gateway; return its process id and its port. It is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.lease_gateway", redis_url,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.pid, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        assert await process.wait() == -signal.SIGKILL


async def send(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET %b HTTP/1.1\r\nHost: gateway\r\n\r\n" % path.encode())
    return reader, writer


async def count_held(redis: RedisServer) -> int:
    """Return the leases in Redis."""
    key = "lockgate:{address:127.0.0.1}:chats:held"
    reply = await asyncio.to_thread(redis.command, "ZCARD", key)
    return int(reply.removeprefix(":"))


async def get_status(port: int) -> int:
    """Return the status of a request that ends at once."""
    reader, writer = await send(port, "/plain")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1])


async def wait_for_leases(redis: RedisServer, number: int) -> None:
    """Wait until so many leases are held; expired ones count until the next check."""
    for _ in range(1_000):
        if await count_held(redis) == number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{await count_held(redis)} leases are held")


async def wait_for_admission(port: int) -> None:
    """Send requests until one is admitted."""
    for _ in range(10_000):
        if await get_status(port) == 200:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no request was admitted")


async def fill(port: int, redis: RedisServer) -> list[asyncio.StreamWriter]:
    """Let LIMIT requests hold a lease each."""
    writers = [(await send(port, "/wait"))[1] for _ in range(LIMIT)]
    await wait_for_leases(redis, LIMIT)
    return writers


async def test_all_leases_of_a_killed_gateway_are_back_after_their_time(
    own_redis: RedisServer,
) -> None:
    """The last renewal is up to half of the time old, so that the first ones are back earlier."""
    async with open_gateway(own_redis.url) as (_, other):
        for run in range(1, RUNS + 1):
            async with open_gateway(own_redis.url) as (pid, port):
                writers = await fill(port, own_redis)
                # They outlive their time as long as their process lives.
                await asyncio.sleep(LEASE_SECONDS * (1.5 if run == 1 else 0.1 * run))
                assert await count_held(own_redis) == LIMIT
                assert await get_status(other) == 429
                os.kill(pid, signal.SIGKILL)
                killed_at = time.monotonic()
            await wait_for_admission(other)
            first = time.monotonic() - killed_at
            await asyncio.sleep(killed_at + LEASE_SECONDS - time.monotonic())
            writers += await fill(other, own_redis)
            everything = time.monotonic() - killed_at
            print(f"run {run}: one place after {first:.2f} s, all {LIMIT} after {everything:.2f} s")
            for writer in writers:
                writer.transport.abort()
            await wait_for_leases(own_redis, 0)
