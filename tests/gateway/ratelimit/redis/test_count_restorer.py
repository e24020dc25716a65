"""A Redis that comes back without counts gives no caller a fresh quota within the window."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis
from pydantic import RedisDsn

from gateway.ratelimit.limiter import Charge, RateLimiter, RedisCheckFailed, Settlement, Verdict
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.redis.connection import MAX_PENDING_CHECKS, RedisConnection
from gateway.ratelimit.redis.count_restorer import CountRestorer, CountRestorerState
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.ratelimit.redis.script import EPOCH_KEY
from gateway.settings.schema import Counters, Settings
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.limiter_process import Order, run_order
from tests.gateway.ratelimit.redis.limiter_process import run_processes as run_limiter_processes
from tests.gateway.ratelimit.redis.slow_proxy import SlowProxy
from tests.gateway.ratelimit.redis.test_failures import ACL, USER
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PATIENCE = 30.0
RETRY_MS = 50

WINDOW = charge(20, 60, name="window")
STEADY = charge(20, 3_600, name="steady", burst=20)
DENY = charge(20, 60, name="deny", without_redis="deny")
ALLOW = charge(20, 60, name="allow", without_redis="allow")


@asynccontextmanager
async def run_processes(
    url: str, number: int, *, is_up: bool = True
) -> AsyncIterator[list[RateLimiter]]:
    """Run the limiters of several processes, with a long timeout: the machine may be busy."""
    counters = Counters(retry_ms=RETRY_MS, processes=number, timeout_ms=1_000)
    settings = Settings(redis_url=RedisDsn(url), counters=counters)
    async with AsyncExitStack() as stack:
        limiters = [await stack.enter_async_context(open_limiter(settings)) for _ in range(number)]
        if is_up:
            await wait_healthy(limiters)
        yield limiters


async def wait_healthy(limiters: Sequence[RateLimiter], disconnects: int = 0) -> None:
    """Wait until all are connected, after so many disconnects."""
    async with asyncio.timeout(PATIENCE):
        for limiter in limiters:
            while not is_healthy(limiter, disconnects):  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)


def is_healthy(limiter: RateLimiter, disconnects: int) -> bool:
    """Return whether it counts in Redis, after so many disconnects."""
    health = limiter.health()
    return health["status"] == "ok" and int(health["disconnects"]) >= disconnects


async def wait_beat(server: RedisServer) -> None:
    """Wait until Redis knows that it is in use."""
    with redis.Redis.from_url(server.url) as client:
        before = client.hget(EPOCH_KEY, "beat")
        async with asyncio.timeout(PATIENCE):
            while client.hget(EPOCH_KEY, "beat") == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def spend(limiter: RateLimiter, one: Charge, times: int) -> int:
    """Return how many of these requests are admitted."""
    return sum([(await limiter.check([one])).admitted for _ in range(times)])


@pytest.mark.parametrize("one", [WINDOW, STEADY, DENY, ALLOW], ids=lambda it: it.rule.policy)
async def test_flushed_counts_are_restored_without_a_request(
    own_redis: RedisServer, one: Charge
) -> None:
    async with run_processes(own_redis.url, 2) as processes:
        assert await spend(processes[0], one, 7) == 7
        assert await spend(processes[1], one, 8) == 8
        own_redis.command("FLUSHALL")
        await wait_healthy(processes, disconnects=1)
        assert [await spend(process, one, 20) for process in processes] == [5, 0]


@pytest.mark.parametrize("one", [WINDOW, STEADY], ids=lambda it: it.rule.policy)
async def test_a_flush_gives_no_fresh_quota_to_a_caller_that_goes_on(
    own_redis: RedisServer, one: Charge
) -> None:
    async with run_processes(own_redis.url, 2) as processes:
        assert [await spend(process, one, 10) for process in processes] == [10, 10]
        own_redis.command("FLUSHALL")
        extra = 0
        while not all(is_healthy(process, 1) for process in processes):
            extra += sum([await spend(process, one, 5) for process in processes])
            await asyncio.sleep(0.005)
        extra += sum([await spend(process, one, 20) for process in processes])
        assert extra == 0


async def test_a_restart_gives_at_most_the_shares_of_the_outage(own_redis: RedisServer) -> None:
    async with run_processes(own_redis.url, 4) as processes:
        assert await spend(processes[0], WINDOW, 20) == 20  # a caller that reaches one process
        own_redis.kill()
        during = [await spend(process, WINDOW, 20) for process in processes]
        own_redis.start()
        await wait_healthy(processes, disconnects=1)
        after = [await spend(process, WINDOW, 20) for process in processes]
    assert during == [0, 5, 5, 5]
    assert after == [0, 0, 0, 0]


async def test_what_is_admitted_while_redis_is_away_counts_when_it_is_back(
    own_redis: RedisServer,
) -> None:
    async with (
        SlowProxy(own_redis.port).open() as proxy,
        run_processes(proxy.url, 2) as processes,
    ):
        assert await spend(processes[0], WINDOW, 4) == 4
        proxy.delay = None
        assert [await spend(process, WINDOW, 20) for process in processes] == [6, 10]
        proxy.delay = 0.0
        await wait_healthy(processes, disconnects=1)
        assert [await spend(process, WINDOW, 20) for process in processes] == [0, 0]


@pytest.mark.parametrize("one", [WINDOW, STEADY], ids=lambda it: it.rule.policy)
async def test_processes_that_lost_their_connections_wait_for_each_other(
    own_redis: RedisServer, one: Charge
) -> None:
    async with run_processes(own_redis.url, 4) as processes:
        total = sum([await spend(process, one, 2) for process in processes])
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        total += sum([await spend(process, one, 20) for process in processes])
        own_redis.command("REPLICAOF", "NO", "ONE")
        while not all(is_healthy(process, 1) for process in processes):
            total += sum([await spend(process, one, 5) for process in processes])
            await asyncio.sleep(0.005)
        total += sum([await spend(process, one, 20) for process in processes])
    assert total == 20


@pytest.mark.parametrize("one", [WINDOW, STEADY], ids=lambda it: it.rule.policy)
async def test_new_processes_that_have_admitted_without_redis_wait_for_each_other(
    own_redis: RedisServer, one: Charge
) -> None:
    own_redis.kill()
    async with run_processes(own_redis.url, 4, is_up=False) as processes:
        total = sum([await spend(process, one, 20) for process in processes])
        assert total == 20
        own_redis.start()
        while not all(is_healthy(process, 1) for process in processes):
            total += sum([await spend(process, one, 5) for process in processes])
            await asyncio.sleep(0.005)
        total += sum([await spend(process, one, 20) for process in processes])
    assert total == 20


async def test_a_process_that_was_away_briefly_waits_briefly(own_redis: RedisServer) -> None:
    unsent = MemoryLimiter()
    restorer = CountRestorer(MemoryLimiter(), unsent, processes=4, wait=20 * PATIENCE)
    limiter = RedisLimiter(own_redis.url, timeout=1.0, retry=0.05, restorer=restorer)
    task = asyncio.create_task(limiter.run())
    try:
        await limiter.wait_first_attempt()
        unsent.record([WINDOW])
        own_redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        async with asyncio.timeout(PATIENCE):
            while limiter.health() != {"redis": "up", "disconnects": 1}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await limiter.check([WINDOW])).standings[0].remaining == 18
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_many_keys_are_restored_in_batches_and_while_requests_go_on(
    own_redis: RedisServer,
) -> None:
    keys = [Charge(WINDOW.rule, f"lockgate:{{{number}}}:window") for number in range(450)]
    async with run_processes(own_redis.url, 1) as [process]:
        for one in keys:
            await spend(process, one, 3)
        own_redis.kill()
        for one in keys[:250]:
            assert await spend(process, one, 2) == 2
        own_redis.start()
        while not is_healthy(process, 1):
            assert await spend(process, keys[0], 1) <= 1
            await asyncio.sleep(0.01)
        left = [(await process.check([one])).standings[0].remaining for one in keys[1:]]
    assert left == [20 - 3 - 2 - 1] * 249 + [20 - 3 - 1] * 200


async def test_a_new_process_waits_until_the_others_have_restored_their_counts(
    own_redis: RedisServer,
) -> None:
    async with run_processes(own_redis.url, 1) as [old]:
        assert await spend(old, WINDOW, 20) == 20
        own_redis.command("FLUSHALL")
        while old.health()["redis"] != "restoring":  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)
        async with run_processes(own_redis.url, 1) as [new]:
            assert await spend(new, WINDOW, 5) == 0


async def test_a_restart_with_old_data_adds_what_was_counted_since(
    redis_binary: str, tmp_path: Path
) -> None:
    server = RedisServer(redis_binary, "--dir", str(tmp_path))
    server.start()
    try:
        async with run_processes(server.url, 1) as [process]:
            assert await spend(process, WINDOW, 12) == 12
            await wait_beat(server)
            assert server.command("SAVE") == "+OK"
            assert await spend(process, WINDOW, 5) == 5
            server.kill()
            server.start()
            await wait_healthy([process], disconnects=1)
            assert await spend(process, WINDOW, 20) == 3
    finally:
        server.stop()


async def test_a_redis_that_reads_its_data_is_away_until_it_has_read_them(
    redis_binary: str, tmp_path: Path
) -> None:
    slow = ("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
    server = RedisServer(redis_binary, "--dir", str(tmp_path), *slow)
    server.start()
    try:
        async with run_processes(server.url, 1) as [process]:
            assert await spend(process, WINDOW, 12) == 12
            await wait_beat(server)
            with redis.Redis.from_url(server.url) as client:
                client.mset({f"other:{number}": "x" * 100 for number in range(2_000)})
                client.save()
            server.kill()
            starting = asyncio.create_task(asyncio.to_thread(server.start))
            async with asyncio.timeout(PATIENCE):
                while process.health().get("reason") != "BusyLoadingError":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert (await process.check([WINDOW])).degraded == "local"
            await starting
            await wait_healthy([process], disconnects=1)
            assert await spend(process, WINDOW, 20) == 7
    finally:
        server.stop()


@pytest.mark.parametrize("more", [(), ("+info",)])
async def test_the_documented_permissions_are_enough(
    own_redis: RedisServer, more: tuple[str, ...]
) -> None:
    assert own_redis.command("ACL", "SETUSER", "gate", *ACL.split(), *more) == "+OK"
    url = own_redis.url.replace("//", f"//{USER}")
    async with run_processes(url, 1) as [process]:
        assert await spend(process, WINDOW, 12) == 12
        own_redis.command("FLUSHALL")
        await wait_healthy([process], disconnects=1)
        assert await spend(process, WINDOW, 20) == 8


@pytest.mark.parametrize("keys", [1, 250])
async def test_what_redis_has_not_replied_to_is_added_again(
    own_redis: RedisServer, keys: int
) -> None:
    many = [Charge(WINDOW.rule, f"lockgate:{{{number}}}:window") for number in range(keys)]
    admitted, unsent = MemoryLimiter(), MemoryLimiter()
    restorer = CountRestorer(admitted, unsent, processes=1, wait=0.1)
    limiter = RedisLimiter(own_redis.url, timeout=1.0, retry=0.05, restorer=restorer)
    for one in many:
        unsent.record([one])
    task = asyncio.create_task(limiter.run())
    try:
        own_redis.command("CONFIG", "SET", "maxmemory", "1")  # every write fails
        await limiter.wait_first_attempt()
        assert restorer.state is CountRestorerState.IDLE
        unsent.record([many[0]])
        assert unsent.size == keys
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        async with asyncio.timeout(PATIENCE):
            while limiter.health()["redis"] != "up":  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)
        left = [(await limiter.check([one])).standings[0].remaining for one in many]
        assert left == [20 - 3] + [20 - 2] * (keys - 1)
        assert repr(restorer) == "<CountRestorer idle, 0 lost, 0 unsent>"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_failed_finish_puts_the_rest_back(own_redis: RedisServer) -> None:
    unsent = MemoryLimiter()
    restorer = CountRestorer(MemoryLimiter(), unsent, processes=1, wait=0.1)
    steady = Charge(STEADY.rule, STEADY.key)
    unsent.record([WINDOW, steady])
    connection = RedisConnection(1.0)
    restorer.finish(connection)
    assert unsent.size == 0
    unsent.record([WINDOW, steady])
    connection.close()
    await asyncio.sleep(0)
    decided = unsent.decide([Charge(one.rule, one.key, cost=0) for one in (WINDOW, steady)])
    assert [it.remaining for it in decided.standings] == [18, 18]


async def test_a_reservation_without_redis_is_settled_in_redis_after_the_reconnect(
    own_redis: RedisServer,
) -> None:
    async with run_processes(own_redis.url, 1) as [process]:
        own_redis.kill()
        reserved = [Charge(WINDOW.rule, WINDOW.key, cost=9), Charge(ALLOW.rule, ALLOW.key)]
        before = process.mark()
        verdict = await process.check(reserved)
        assert verdict.degraded == "local"
        own_redis.start()
        await wait_healthy([process], disconnects=1)
        differences = [(reserved[0], -5), (reserved[1], 3)]
        sent = process.settle(Settlement(differences, before, verdict))
        assert sent is not None
        await sent
        assert await spend(process, WINDOW, 20) == 16
        assert await spend(process, ALLOW, 21) == 20


async def test_a_beat_is_skipped_while_too_many_checks_are_pending(own_redis: RedisServer) -> None:
    restorer = CountRestorer(MemoryLimiter(), MemoryLimiter(), processes=1, wait=0.1)
    limiter = RedisLimiter(own_redis.url, timeout=PATIENCE, retry=0.05, restorer=restorer)
    task = asyncio.create_task(limiter.run())
    try:
        await limiter.wait_first_attempt()
        own_redis.pause()
        checks: list[Awaitable[Verdict]] = []
        with suppress(RedisCheckFailed):
            while len(checks) <= MAX_PENDING_CHECKS:
                checks.append(limiter.check([ALLOW]))
        await asyncio.sleep(4 * restorer.beat_seconds)
        own_redis.resume()
        assert sum([(await check).admitted for check in checks]) == 20
        assert limiter.health() == {"redis": "up", "disconnects": 0}
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_lost_connection_alone_changes_nothing(own_redis: RedisServer) -> None:
    async with run_processes(own_redis.url, 2) as processes:
        assert await spend(processes[0], WINDOW, 12) == 12
        own_redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await wait_healthy(processes, disconnects=1)
        assert [await spend(process, WINDOW, 20) for process in processes] == [8, 0]


QUOTA = 100
PROCESSES = 4
SHARE = QUOTA // PROCESSES


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("loss", ["killed", "flushed"])
@pytest.mark.parametrize("reached", [PROCESSES, 1])
@pytest.mark.parametrize("policy", [{}, {"burst": QUOTA}], ids=["window", "steady"])
def test_the_excess_after_a_loss(
    own_redis: RedisServer, loss: str, reached: int, policy: dict[str, int]
) -> None:
    first = Order(QUOTA, 36_000, "lockgate:{caller}", 2, 40 // reached, policy)
    second = Order(QUOTA, 36_000, "lockgate:{caller}", 8, 60, policy)
    with run_limiter_processes(own_redis.url, PROCESSES) as processes:
        before = sum(len(it.admitted) for it in run_order(processes[:reached], first))
        if loss == "killed":
            own_redis.kill()
        else:
            own_redis.command("FLUSHALL")
        for process in processes:
            process.begin(second)
        if loss == "killed":
            time.sleep(1)
            own_redis.start()
        outcomes = [process.wait() for process in processes]
    excess = before - QUOTA + sum(len(outcome.admitted) for outcome in outcomes)
    degraded = sum(outcome.degraded for outcome in outcomes)
    print(
        f"\n{loss}, a caller that reached {reached} of {PROCESSES} processes: {before} of {QUOTA} "
        f"admitted before, {excess} in excess, {degraded} decisions without Redis"
    )
    assert 70 <= before < QUOTA
    assert degraded
    assert excess <= (PROCESSES - 1) * SHARE
