"""Four gateways, one Redis, 500 clients at once: the quota is admitted, not one more or less."""

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.load import get
from tests.e2e.serve_process import ServeProcess, run_serve
from tests.redis_server import RedisServer
from tests.running_demo import Demo

PROCESSES, AT_ONCE, REQUESTS, QUOTA, RUNS = 4, 500, 1_500, 1_000, 20

pytestmark = [pytest.mark.bench, pytest.mark.redis, pytest.mark.timeout(900)]


async def one_run(urls: list[str], token: str) -> Counter[int]:
    """REQUESTS requests, AT_ONCE of them at any time, dealt to the gateways in turn."""
    turnstile = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with turnstile:
            return (await get(urls[number % len(urls)], "/dashboard/42", token)).status

    return Counter(await asyncio.gather(*(one(number) for number in range(REQUESTS))))


def counted_without_redis(gateways: list[ServeProcess]) -> int:
    """How many requests have met the ceiling on a check so far, or come just after one that did."""
    return sum(gateway.log.read_text().count('"limits": "local"') for gateway in gateways)


@pytest.mark.parametrize("ceiling_ms", [20, 1_000])
def test_twenty_runs_admit_the_quota_exactly(
    demo: Demo, own_redis: RedisServer, tmp_path: Path, ceiling_ms: int
) -> None:
    """With the usual ceiling a machine this busy may keep Redis waiting longer than that.

    A run in which that happened says so, and is no measure of exactness; with a second to
    wait there is no such excuse.
    """
    variables = {
        "LOCKGATE_REDIS_URL": own_redis.url,
        "LOCKGATE_LIMITS__DASHBOARDS": f"{QUOTA}/day",
        "LOCKGATE_COUNTERS__PROCESSES": str(PROCESSES),
        "LOCKGATE_COUNTERS__TIMEOUT_MS": str(ceiling_ms),
    }
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(run_serve(demo, tmp_path / str(number), **variables))
            for number in range(PROCESSES)
        ]
        urls = [gateway.url for gateway in gateways]
        alone = 0
        for run in range(1, RUNS + 1):
            own_redis.command("FLUSHALL")
            statuses = asyncio.run(one_run(urls, demo.token))
            before, alone = alone, counted_without_redis(gateways)
            admitted = REQUESTS - statuses[429]
            print(
                f"ceiling {ceiling_ms} ms, run {run}: admitted {admitted}, "
                f"without Redis {alone - before}, {dict(statuses)}",
                flush=True,
            )
            assert admitted == QUOTA or (ceiling_ms == 20 and alone > before)
