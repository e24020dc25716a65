"""The first seconds of a Redis that is back: what four gateways under load send to it."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis.asyncio

from tests.e2e.load import get
from tests.e2e.serve_process import run_serve
from tests.redis_server import RedisServer
from tests.running_demo import Demo

PROCESSES, CLIENTS, SECONDS = 4, 8, 4
MOST_CONNECTIONS = 2 * PROCESSES
"""In any second: one of each process, after one that has failed."""

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(300)]


async def send_requests(url: str, token: str) -> None:
    """Send requests until cancelled."""
    while True:
        await get(url, "/dashboard/42", token)


async def read_counts(client: redis.asyncio.Redis) -> Mapping[str, int]:
    """Return how many connections and commands there have been, besides those of this test."""
    commands = await client.info("commandstats")
    stats = await client.info("stats")
    counts = {name.removeprefix("cmdstat_"): one["calls"] for name, one in commands.items()}
    counts.pop("info", None)
    return {"connections": stats["total_connections_received"], **counts}


async def watch_return(server: RedisServer) -> list[dict[str, int]]:
    """Start Redis again, and return what has been sent to it in each second."""
    await asyncio.to_thread(server.start)
    seconds = []
    async with redis.asyncio.Redis.from_url(server.url) as client:
        before = await read_counts(client)
        for _ in range(SECONDS):
            await asyncio.sleep(1)
            now = await read_counts(client)
            sent = {name: count - before.get(name, 0) for name, count in now.items()}
            seconds.append({name: count for name, count in sent.items() if count})
            before = now
    return seconds


async def run_load(server: RedisServer, urls: list[str], token: str) -> list[dict[str, int]]:
    """Let Redis be away for two seconds, under load."""
    async with asyncio.TaskGroup() as clients:
        tasks = [
            clients.create_task(send_requests(urls[number % PROCESSES], token))
            for number in range(CLIENTS)
        ]
        await asyncio.sleep(2)
        server.kill()
        await asyncio.sleep(2)
        seconds = await watch_return(server)
        for task in tasks:
            task.cancel()
    return seconds


def test_the_first_seconds_of_a_redis_that_is_back(
    demo: Demo, own_redis: RedisServer, tmp_path: Path
) -> None:
    variables = {
        "LOCKGATE_REDIS_URL": own_redis.url,
        "LOCKGATE_COUNTERS__PROCESSES": str(PROCESSES),
    }
    with ExitStack() as stack:
        urls = [
            stack.enter_context(run_serve(demo, tmp_path / str(number), **variables)).url
            for number in range(PROCESSES)
        ]
        seconds = asyncio.run(run_load(own_redis, urls, demo.token))
    for number, counts in enumerate(seconds, 1):
        print(f"\nsecond {number}: {counts}")
    assert max(counts.get("connections", 0) for counts in seconds) <= MOST_CONNECTIONS
