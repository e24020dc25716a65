"""`RedisLimiter` on a real Redis: pipelining, cancelled callers, lost scripts, processes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import redis
from redis.asyncio.connection import AbstractConnection

from gateway.ratelimit.redis import redis_limiter
from gateway.ratelimit.redis.failures import require_standalone
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from tests.gateway.proxy.serve_proxy import wait_until
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.spend_quota import QUOTA
from tests.gateway.ratelimit.redis.spending_processes import find_wrong_counts, start_spenders
from tests.lost_cancellation import LostCancellation, require_cancelled
from tests.redis_server import RedisServer, find_free_port

pytestmark = pytest.mark.redis

LONG_TIMEOUT = 20.0


@pytest.fixture
async def shared(redis_server: RedisServer) -> AsyncIterator[RedisLimiter]:
    """A connected limiter; the timeout is long, so that a busy machine does not matter."""
    limiter = RedisLimiter(redis_server.url, timeout=LONG_TIMEOUT, retry=0.05)
    task = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    assert limiter.health()["redis"] == "up"
    yield limiter
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def read_statistic(server: RedisServer, statistic: str) -> int:
    """Return a number from INFO."""
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("stats")[statistic])


async def test_a_quota_is_spent_to_the_last_request_and_no_further(shared: RedisLimiter) -> None:
    verdicts = await asyncio.gather(*(shared.check([charge(100)]) for _ in range(300)))
    assert sum(verdict.admitted for verdict in verdicts) == 100
    assert sorted(v.standings[0].remaining for v in verdicts if v.admitted) == list(range(100))


async def test_the_checks_of_one_turn_are_sent_in_one_write(
    shared: RedisLimiter, redis_server: RedisServer
) -> None:
    before = read_statistic(redis_server, "total_reads_processed")
    await asyncio.gather(*(shared.check([charge(100)]) for _ in range(100)))
    assert read_statistic(redis_server, "total_reads_processed") - before < 20


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_that_is_lost_while_it_connects_ends_the_loop(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    lost = LostCancellation()

    async def connect(pooled: AbstractConnection) -> None:
        await lost.wait_for(require_standalone(pooled))
        if fails:
            raise ConnectionError

    monkeypatch.setattr(redis_limiter, "require_standalone", connect)
    limiter = RedisLimiter(redis_server.url, timeout=LONG_TIMEOUT, retry=0.05)
    lost.tasks = {asyncio.create_task(limiter.run())}
    await require_cancelled(lost.tasks)


@pytest.mark.parametrize("command", [("SCRIPT", "FLUSH"), ("FLUSHALL",)])
async def test_a_script_that_redis_lost_is_sent_again_and_no_check_is_charged_twice(
    shared: RedisLimiter, redis_server: RedisServer, command: tuple[str, ...]
) -> None:
    redis_server.command(*command)
    redis_server.command("SCRIPT", "FLUSH")
    verdicts = await asyncio.gather(*(shared.check([charge(100)]) for _ in range(50)))
    assert all(verdict.admitted for verdict in verdicts)
    assert (await shared.check([charge(100)])).standings[0].remaining == 49


async def test_a_cancelled_caller_does_not_shift_the_replies_of_others(
    shared: RedisLimiter,
) -> None:
    def check_own_key(number: int) -> asyncio.Task[int]:
        own = replace(charge(10_000, cost=number), key=f"lockgate:{{t}}:{number}")

        async def get_remaining() -> int:
            return (await shared.check([own])).standings[0].remaining

        return asyncio.create_task(get_remaining())

    unsent = [check_own_key(number) for number in range(1, 21)]
    await asyncio.sleep(0)
    for task in unsent[::2]:
        task.cancel()
    await asyncio.sleep(0)
    sent = [check_own_key(number) for number in range(101, 121)]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in sent[::2]:
        task.cancel()
    assert await asyncio.gather(*unsent[1::2]) == [10_000 - n for n in range(2, 21, 2)]
    assert await asyncio.gather(*sent[1::2]) == [10_000 - n for n in range(102, 121, 2)]
    assert await check_own_key(999) == 10_000 - 999


async def test_an_idle_connection_that_redis_closes_is_replaced_before_the_next_check(
    shared: RedisLimiter, redis_server: RedisServer
) -> None:
    redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    async with asyncio.timeout(LONG_TIMEOUT):
        while shared.health() != {"redis": "up", "disconnects": 1}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await shared.check([charge(5)])).admitted


async def test_the_pauses_between_attempts_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def record(delay: float) -> None:
        pauses.append(delay)
        await sleep(0)

    limiter = RedisLimiter(f"redis://127.0.0.1:{find_free_port()}/0", timeout=1, retry=100)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", record)
        task = asyncio.create_task(limiter.run())
        async with asyncio.timeout(LONG_TIMEOUT):
            while len(pauses) < 30:
                await sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert 40 < min(pauses) < 80
    assert 120 < max(pauses) <= 150


def test_several_processes_admit_the_quota_exactly(redis_server: RedisServer) -> None:
    assert spend_in_processes(redis_server.url, processes=4, checks=500) == QUOTA


@pytest.mark.prove
def test_twenty_runs_of_several_processes(redis_server: RedisServer) -> None:
    counts = []
    for _ in range(20):
        redis_server.command("FLUSHALL")
        counts.append(spend_in_processes(redis_server.url, processes=4, checks=2_000))
    print(f"\nadmitted of {QUOTA} by 4 processes, 8,000 checks, 20 runs: {counts}")
    assert counts == [QUOTA] * 20


def spend_in_processes(url: str, *, processes: int, checks: int) -> int:
    """Return how many checks were admitted in all processes, which start together."""
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
    return sum(int(spender.communicate(timeout=120)[0]) for spender in spenders)


def test_every_kind_of_policy_is_exact_over_two_processes(redis_server: RedisServer) -> None:
    with start_spenders(redis_server.url, 2) as spenders:
        assert find_wrong_counts(spenders, "round", 110) == {}


class PrefixObserver:
    """Keeps the cleared prefixes, and requires the thread of the event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.prefixes: list[str] = []

    def forget(self, prefix: str = "") -> None:
        """Keep the prefix."""
        assert asyncio.get_running_loop() is self.loop
        self.prefixes.append(prefix)

    def forget_key(self, key: str) -> None:
        """Take no notice."""

    def observe_settlement(self, *settled: object) -> None:
        """Take no notice."""

    def observe_leases(self, *updates: object) -> None:
        """Take no notice."""


async def test_a_thread_that_clears_counts_leaves_the_observer_to_the_event_loop(
    shared: RedisLimiter,
) -> None:
    """As the `reset` of slowapi does in a synchronous endpoint."""
    observer = PrefixObserver()
    shared.set_observer(observer)
    await asyncio.to_thread(shared.clear_local, "lockgate:{a}")
    await wait_until(lambda: observer.prefixes == ["lockgate:{a}"])
    shared.clear_local("lockgate:{b}")
    assert observer.prefixes == ["lockgate:{a}", "lockgate:{b}"]
