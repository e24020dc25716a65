"""Redis fails under load: no check hangs, each policy does what it declares, and it recovers."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RedisDsn

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.fallback import scale_to_share
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import RateLimiter, Verdict
from gateway.ratelimit.live.reset_counts import clear_everywhere
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.rule import MAX_BURST, MAX_QUOTA, MICROSECONDS, compute_largest_burst
from gateway.settings.rate import Rate
from gateway.settings.schema import Counters, Settings
from tests.gateway.ratelimit.charges import charge, make_rule
from tests.gateway.ratelimit.redis.slow_proxy import SlowProxy
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

HANG_SECONDS = 20.0
SCRIPT_COMMANDS = ("eval", "evalsha")
LOCAL = charge(1_000_000, name="local")
DENY = charge(1_000_000, name="deny", without_redis="deny")
ALLOW = charge(1_000_000, name="allow", without_redis="allow")

TIERS = {"pro": "5/20seconds, 9/hour"}

Fault = Callable[[RedisServer, SlowProxy], None]


def settings(url: str, processes: int = 1) -> Settings:
    """Settings that reconnect often; on a busy machine Redis needs more than its 20 ms."""
    counters = Counters(retry_ms=50, processes=processes, timeout_ms=250)
    return Settings(redis_url=RedisDsn(url), counters=counters)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(HANG_SECONDS):
        while not await condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def is_degraded(limiter: RateLimiter) -> bool:
    """Return whether a check is decided without Redis."""
    return (await limiter.check([LOCAL])).degraded is not None


async def is_healthy(limiter: RateLimiter) -> bool:
    """Return whether a check is decided by Redis."""
    return not await is_degraded(limiter)


@asynccontextmanager
async def load(limiter: RateLimiter) -> AsyncIterator[Counter[str]]:
    """Run twenty callers without a pause, and count the outcomes of each policy."""
    outcomes: Counter[str] = Counter()

    async def call() -> None:
        while True:
            for one in (LOCAL, DENY, ALLOW):
                try:
                    async with asyncio.timeout(HANG_SECONDS):
                        verdict = await limiter.check([one])
                    outcomes[f"{one.rule.policy} {verdict.degraded}"] += 1
                except RateLimiterUnavailable:
                    outcomes[f"{one.rule.policy} refused"] += 1
            await asyncio.sleep(0.005)

    callers = [asyncio.create_task(call()) for _ in range(20)]
    try:
        yield outcomes
    finally:
        done = [task.done() for task in callers]
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        assert not any(done), "a check hung or failed"


async def has_decided_all(outcomes: Counter[str]) -> bool:
    """Return whether each policy has decided without Redis, as it declares."""
    return {"local local", "deny refused", "allow allow"} <= set(outcomes)


def freeze(server: RedisServer, _: SlowProxy) -> None:
    """SIGSTOP."""
    server.pause()


def kill(server: RedisServer, _: SlowProxy) -> None:
    """SIGKILL; the repair starts it again."""
    server.kill()


def pause_clients(server: RedisServer, _: SlowProxy) -> None:
    """CLIENT PAUSE: it reads and does not reply. It ends by itself, as UNPAUSE would wait too."""
    server.command("CLIENT", "PAUSE", "2000")


def slow(_: RedisServer, proxy: SlowProxy) -> None:
    """It replies after a second."""
    proxy.delay = 1.0


def drop(_: RedisServer, proxy: SlowProxy) -> None:
    """It drops all data, like a black hole in the network."""
    proxy.delay = None


def fill_memory(server: RedisServer, _: SlowProxy) -> None:
    """OOM on every write."""
    server.command("CONFIG", "SET", "maxmemory", "1")


def demote(server: RedisServer, _: SlowProxy) -> None:
    """READONLY on every write."""
    server.command("REPLICAOF", "127.0.0.1", "1")


def repair(server: RedisServer, proxy: SlowProxy, fault: Fault) -> None:
    """Undo any of these faults."""
    proxy.delay = 0.0
    if fault is freeze:
        server.resume()
    if fault is kill:
        server.start()
    if fault is fill_memory:
        server.command("CONFIG", "SET", "maxmemory", "0")
    if fault is demote:
        server.command("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize("fault", [freeze, kill, pause_clients, slow, drop, fill_memory, demote])
async def test_every_fault_is_handled_alike(
    own_redis: RedisServer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.ratelimit")
    async with (
        SlowProxy(own_redis.port).open() as proxy,
        open_limiter(settings(proxy.url)) as limiter,
    ):
        await eventually(lambda: is_healthy(limiter))
        async with load(limiter) as outcomes:
            fault(own_redis, proxy)
            await eventually(lambda: is_degraded(limiter))
            outcomes.clear()
            await eventually(lambda: has_decided_all(outcomes))
            assert limiter.health()["status"] == "degraded"
            repair(own_redis, proxy, fault)
            await eventually(lambda: is_healthy(limiter))
            await eventually(lambda: passes_deny(limiter))
        assert limiter.health()["status"] == "ok"
    *outages, last = list_outages(caplog)
    assert outages
    assert last == []
    for kinds in outages:
        assert kinds
        assert len(set(kinds)) == len(kinds)  # each kind of failure is logged once


def list_outages(caplog: pytest.LogCaptureFixture) -> list[list[str]]:
    """Return the kinds of failures after each `redis.connected` and before the next one."""
    outages = list[list[str]]()
    for record in caplog.records:
        if record.msg == "redis.connected":
            outages.append([])
        elif outages:  # not before the first connect
            assert record.msg == "redis.disconnected"
            outages[-1].append(vars(record)["fields"]["reason"].partition(":")[0])
    return outages


async def passes_deny(limiter: RateLimiter) -> bool:
    """Return whether a `deny` policy admits requests again."""
    try:
        return (await limiter.check([DENY])).degraded is None
    except RateLimiterUnavailable:
        return False


async def spend(limiter: RateLimiter, times: int, quota: int = 10) -> list[Verdict]:
    """Send requests one after the other, and return their verdicts."""
    return [await limiter.check([charge(quota)]) for _ in range(times)]


async def test_losing_redis_gives_no_fresh_quota(own_redis: RedisServer) -> None:
    async with open_limiter(settings(own_redis.url)) as limiter:
        await eventually(lambda: is_healthy(limiter))
        assert all(verdict.admitted for verdict in await spend(limiter, 8))
        own_redis.kill()
        await eventually(lambda: is_degraded(limiter))
        verdicts = await spend(limiter, 5)
        assert [v.admitted for v in verdicts] == [True, True, False, False, False]
        assert {v.degraded for v in verdicts} == {"local"}
        assert verdicts[0].standings[0].rule.quota == 10


async def test_each_process_grants_its_share_rounded_up(own_redis: RedisServer) -> None:
    own_redis.kill()
    async with open_limiter(settings(own_redis.url, processes=4)) as limiter:
        assert sum(verdict.admitted for verdict in await spend(limiter, 10)) == 3


async def test_of_several_policies_deny_wins_then_a_local_refusal(
    own_redis: RedisServer,
) -> None:
    own_redis.kill()
    once = charge(1, name="once")
    async with open_limiter(settings(own_redis.url)) as limiter:
        with pytest.raises(RateLimiterUnavailable):
            await limiter.check([once, ALLOW, DENY])
        assert (await limiter.check([once, ALLOW])).admitted
        refused = await limiter.check([ALLOW, once])
        assert (refused.admitted, refused.refused_by) == (False, ("once",))
        shadow = charge(1, name="shadow", without_redis="deny", shadow=True)
        assert (await limiter.check([shadow])).degraded == "allow"


async def test_the_gateway_starts_without_redis_and_connects_later(own_redis: RedisServer) -> None:
    own_redis.kill()
    async with open_limiter(settings(own_redis.url)) as limiter:
        assert await is_degraded(limiter)
        health = limiter.health()
        assert health == {
            "status": "degraded",
            "redis": "down",
            "disconnects": 1,
            "reason": "ConnectionError",
            "degraded_checks": 1,
        }
        own_redis.start()
        await eventually(lambda: is_healthy(limiter))


async def test_the_log_and_the_health_say_what_each_policy_does(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    policies = [
        RateLimit("home", "9/minute"),
        RateLimit("chat", "9/minute", without_redis="deny"),
        RateLimit("dashboards", "9/minute"),
    ]
    expected = "deny: chat; local: dashboards, home"
    async with open_limiter(settings(own_redis.url), policies) as limiter:
        await eventually(lambda: is_healthy(limiter))
        assert "without_redis" not in limiter.health()
        own_redis.kill()
        async with asyncio.timeout(HANG_SECONDS):
            while limiter.health()["status"] == "ok":  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)
        assert limiter.health()["without_redis"] == expected
    *_, lost = [record for record in caplog.records if record.msg == "redis.disconnected"]
    assert vars(lost)["fields"]["without_redis"] == expected


async def test_a_caller_that_goes_on_after_a_refusal_costs_redis_nothing(
    own_redis: RedisServer,
) -> None:
    one = charge(3, 3_600)
    async with open_limiter(settings(own_redis.url)) as limiter:
        assert sum([(await limiter.check([one])).admitted for _ in range(4)]) == 3
        before = count_scripts(own_redis)
        verdicts = [await limiter.check([one]) for _ in range(1_000)]
        assert count_scripts(own_redis) - before <= 20  # the beats of half a minute
        assert {(it.admitted, it.degraded, it.refused_by) for it in verdicts} == {
            (False, None, ("policy",))
        }
        assert 3_500 < verdicts[-1].retry_after < 3_600
        limiter.clear_local("lockgate:{t}")
        await limiter.clear_shared("lockgate:{t}")
        assert (await limiter.check([one])).admitted


async def test_a_reset_of_one_caller_deletes_its_keys_without_a_scan(
    own_redis: RedisServer,
) -> None:
    policy = RateLimit("pages", "3/10seconds, 9/hour", burst=2, tiers=TIERS, tier_claim="plan")
    override = KeyOverride("rate", rates=(Rate(1, 86_400),))
    in_force = PolicyInForce(policy, overrides={"user:a": override, "user:b": override})
    keys = in_force.list_keys("user:a")
    assert len(keys) == 4
    with redis.Redis.from_url(own_redis.url) as client:
        client.mset(dict.fromkeys([*keys, *in_force.list_keys("user:b")], "1"))
        async with open_limiter(settings(own_redis.url)) as limiter:
            await clear_everywhere(limiter, [in_force], "user:a")
        assert sorted(client.scan_iter("lockgate:{*")) == sorted(
            key.encode() for key in in_force.list_keys("user:b")
        )
        assert client.info("commandstats")["cmdstat_scan"]["calls"] == 1  # that of this test


def count_scripts(server: RedisServer) -> int:
    """Return how many scripts Redis has run."""
    with redis.Redis.from_url(server.url) as client:
        commands = client.info("commandstats")
    return sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in SCRIPT_COMMANDS)


async def test_no_task_is_left_running(own_redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with open_limiter(settings(own_redis.url)) as limiter:
        await limiter.check([LOCAL])
    assert asyncio.all_tasks() == before


@pytest.mark.prove
@pytest.mark.parametrize("fault", [freeze, kill, slow, drop, fill_memory, demote])
async def test_the_cost_of_a_check_under_each_fault_and_the_recovery(
    own_redis: RedisServer, fault: Fault
) -> None:
    """Each cost includes what other programs on this machine take: `loop` is the longest of it."""
    lateness = [0.0]

    async def measure(limiter: RateLimiter, seconds: float) -> Sequence[tuple[float, str | None]]:
        """Send one check after the other, and return the duration of each, and its fallback."""
        checks, end = [], time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            verdict = await limiter.check([LOCAL])
            checks.append((1e3 * (time.perf_counter() - started), verdict.degraded))
            due = time.perf_counter() + 0.002
            await asyncio.sleep(0.002)
            lateness.append(1e3 * (time.perf_counter() - due))
        return checks

    async with (
        SlowProxy(own_redis.port).open() as proxy,
        open_limiter(
            Settings(redis_url=RedisDsn(proxy.url if fault in (slow, drop) else own_redis.url))
        ) as limiter,
    ):
        before = max(duration for duration, _ in await measure(limiter, 1))
        fault(own_redis, proxy)
        first, *later = [duration for duration, degraded in await measure(limiter, 2) if degraded]
        repair(own_redis, proxy, fault)
        started = time.perf_counter()
        await eventually(lambda: is_healthy(limiter))
        recovery = time.perf_counter() - started
    print(
        f"\n{fault.__name__}: at most {before:.1f} ms before; the first check without Redis "
        f"{first:.1f} ms, the {len(later)} later ones {median(later):.2f} ms, at most "
        f"{max(later):.1f} ms; loop {max(lateness):.1f} ms late; recovered after "
        f"{1e3 * recovery:.0f} ms"
    )


@given(
    quota=st.integers(1, MAX_QUOTA),
    window=st.integers(1, 49_999 * 86_400),
    burst=st.integers(1, MAX_BURST),
    processes=st.integers(1, 10_000),
)
def test_the_share_of_a_process_is_a_valid_policy(
    quota: int, window: int, burst: int, processes: int
) -> None:
    burst = min(burst, compute_largest_burst(window * MICROSECONDS))
    share = scale_to_share(make_rule(quota, window, burst=burst), processes)
    assert share.quota * processes >= quota
    assert 1 <= share.burst <= burst
    make_rule(share.quota, window, burst=share.burst)
