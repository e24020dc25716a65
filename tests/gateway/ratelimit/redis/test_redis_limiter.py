"""Counting in a real Redis: batches, cancelled callers, lost scripts, several processes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import redis

from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.spend_quota import QUOTA
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PATIENT = 5.0


@pytest.fixture
async def shared(redis_server: RedisServer) -> AsyncIterator[RedisLimiter]:
    """A limiter linked to the server, too patient for a noisy machine to matter."""
    limiter = RedisLimiter(redis_server.url, timeout=PATIENT, retry=0.05)
    running = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    assert limiter.health()["redis"] == "up"
    yield limiter
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def calls(server: RedisServer, statistic: str) -> int:
    """A number out of INFO."""
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("stats")[statistic])


async def test_a_quota_is_spent_to_the_last_and_no_further(shared: RedisLimiter) -> None:
    verdicts = await asyncio.gather(*(shared.check([charge(100)]) for _ in range(300)))
    assert sum(verdict.admitted for verdict in verdicts) == 100
    assert sorted(v.standings[0].remaining for v in verdicts if v.admitted) == list(range(100))


async def test_the_checks_of_one_tick_travel_together(
    shared: RedisLimiter, redis_server: RedisServer
) -> None:
    before = calls(redis_server, "total_reads_processed")
    await asyncio.gather(*(shared.check([charge(100)]) for _ in range(100)))
    assert calls(redis_server, "total_reads_processed") - before < 20


@pytest.mark.parametrize("command", [("SCRIPT", "FLUSH"), ("FLUSHALL",)])
async def test_a_script_that_redis_lost_is_sent_again_and_nothing_is_charged_twice(
    shared: RedisLimiter, redis_server: RedisServer, command: tuple[str, ...]
) -> None:
    redis_server.command(*command)
    redis_server.command("SCRIPT", "FLUSH")
    verdicts = await asyncio.gather(*(shared.check([charge(100)]) for _ in range(50)))
    assert all(verdict.admitted for verdict in verdicts)
    assert (await shared.check([charge(100)])).standings[0].remaining == 49


async def test_a_cancelled_caller_leaves_the_answers_of_the_others_alone(
    shared: RedisLimiter,
) -> None:
    def own(number: int) -> asyncio.Task[int]:
        account = replace(charge(10_000, cost=number), key=f"lockgate:{{t}}:{number}")

        async def left() -> int:
            return (await shared.check([account])).standings[0].remaining

        return asyncio.create_task(left())

    unsent = [own(number) for number in range(1, 21)]
    await asyncio.sleep(0)
    for task in unsent[::2]:
        task.cancel()
    await asyncio.sleep(0)
    sent = [own(number) for number in range(101, 121)]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in sent[::2]:
        task.cancel()
    assert await asyncio.gather(*unsent[1::2]) == [10_000 - n for n in range(2, 21, 2)]
    assert await asyncio.gather(*sent[1::2]) == [10_000 - n for n in range(102, 121, 2)]
    assert await own(999) == 10_000 - 999


async def test_a_key_of_another_type_fails_its_own_check_alone(
    shared: RedisLimiter, redis_server: RedisServer
) -> None:
    redis_server.command("SET", charge(5, name="taken").key, "x")
    good, bad = await asyncio.gather(
        shared.check([charge(5)]), shared.check([charge(5, name="taken")]), return_exceptions=True
    )
    assert not isinstance(good, BaseException)
    assert isinstance(bad, RedisCheckFailed)
    assert shared.health() == {"redis": "up", "disconnects": 0}


async def test_an_idle_link_that_redis_closes_is_mended_before_anyone_asks(
    shared: RedisLimiter, redis_server: RedisServer
) -> None:
    redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    async with asyncio.timeout(PATIENT):
        while shared.health() != {"redis": "up", "disconnects": 1}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await shared.check([charge(5)])).admitted


def test_several_processes_admit_the_quota_exactly(redis_server: RedisServer) -> None:
    assert spend_together(redis_server.url, processes=4, checks=500) == QUOTA


@pytest.mark.bench
def test_twenty_runs_of_several_processes(redis_server: RedisServer) -> None:
    counts = []
    for _ in range(20):
        redis_server.command("FLUSHALL")
        counts.append(spend_together(redis_server.url, processes=4, checks=2_000))
    print(f"\nadmitted of {QUOTA} by 4 processes, 8,000 checks, 20 runs: {counts}")
    assert counts == [QUOTA] * 20


def spend_together(url: str, *, processes: int, checks: int) -> int:
    """How many checks all processes together were admitted; they begin at once."""
    command = [sys.executable, "-m", "tests.gateway.ratelimit.redis.spend_quota", url, str(checks)]
    spenders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("go\n")
        spender.stdin.flush()
    return sum(int(spender.communicate(timeout=30)[0]) for spender in spenders)
