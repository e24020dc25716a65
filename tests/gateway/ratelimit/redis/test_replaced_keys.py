"""Keys that another program has written are replaced, counted anew, and logged with the policy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis
from pydantic import RedisDsn

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import (
    Charge,
    LeaseUpdate,
    RateLimiter,
    RedisCheckFailed,
    Settlement,
)
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.ratelimit.redis.replaced_keys import MAX_LOGGED_KEYS
from gateway.ratelimit.redis.script import EPOCH_KEY
from gateway.settings.schema import Counters, Settings
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.fake_redis_server import FakeRedisServer
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PATIENCE = 10.0
PREFIX = "staging:"
QUOTA = 20

[_HELD] = ConcurrencyLimit("held", QUOTA, lease_seconds=60, without_redis="deny").make_rules()
WINDOW = charge(QUOTA, name="window", without_redis="deny")
STEADY = charge(QUOTA, 36_000, name="steady", burst=QUOTA, without_redis="deny")
HELD = Charge(_HELD, make_key(_HELD, "t"), 1, "lease")
PREFETCHED = charge(QUOTA, name="prefetched", prefetch=5, without_redis="deny")
CHARGES = (WINDOW, STEADY, HELD, PREFETCHED)
HASHES: Sequence[Mapping[Any, Any]] = (
    {"t": "x", "a": "x"},
    {"h": "-1", "n": "1.5", "a": "-1", "v": "1e300"},
    {"h": "0", "n": "3", "t": "3", "f": "1", "l": "2", "k": "3", "a": "1e18", "v": "7"},
)
"""Each is no state of any algorithm."""


def write_string(client: redis.Redis, key: str) -> None:
    """Write a value of a type that no algorithm has."""
    client.set(key, "something")


def write_list(client: redis.Redis, key: str) -> None:
    """Write a long one, which takes Redis longer to delete."""
    client.rpush(key, *["something"] * 1_000)


def write_wrong_collection(client: redis.Redis, key: str) -> None:
    """Write what the other algorithms have."""
    if key.endswith(":held"):
        client.hset(key, mapping={"a": "1", "v": "1"})
    else:
        client.zadd(key, {"lease": 1.0})


def write_hash(number: int) -> Callable[[redis.Redis, str], object]:
    """Write a hash with fields that no algorithm has written."""
    return lambda client, key: client.hset(key, mapping=HASHES[number])


WRITES = {
    "string": write_string,
    "list": write_list,
    "wrong collection": write_wrong_collection,
    **{f"hash {number}": write_hash(number) for number in range(len(HASHES))},
}


@asynccontextmanager
async def open_limiter_on(url: str) -> AsyncIterator[RateLimiter]:
    """Open a limiter, with a long timeout: the machine may be busy."""
    own = Counters(timeout_ms=1_000, retry_ms=50, key_prefix=PREFIX)
    async with open_limiter(Settings(redis_url=RedisDsn(url), counters=own)) as limiter:
        yield limiter


def list_replaced(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the policies and keys that the log names."""
    return [
        (record.__dict__["fields"]["policy"], record.__dict__["fields"]["key"])
        for record in caplog.records
        if record.msg == "redis.key_replaced"
    ]


async def spend(limiter: RateLimiter, one: Charge) -> int:
    """Send a request, and return how much of the quota is used then."""
    verdict = await limiter.check([one])
    assert verdict.admitted
    assert verdict.degraded is None
    return QUOTA - verdict.standings[0].remaining


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_check_replaces_the_keys_and_counts_anew(
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    write: Callable[[redis.Redis, str], object],
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        async with open_limiter_on(redis_server.url) as limiter:
            for one in CHARGES:
                write(client, PREFIX + one.key)
                assert await spend(limiter, one) == 1
                assert client.pttl(PREFIX + one.key) > 0
            for one in CHARGES:
                assert await spend(limiter, replace(one, lease_id=one.lease_id and "other")) == 2
            assert limiter.health()["disconnects"] == 0
    assert list_replaced(caplog) == [(one.rule.policy, PREFIX + one.key) for one in CHARGES]


async def test_a_request_that_is_refused_by_another_policy_is_charged_nowhere(
    redis_server: RedisServer,
) -> None:
    full = charge(1, name="full")
    async with open_limiter_on(redis_server.url) as limiter:
        await limiter.check([full])
        redis_server.command("SET", PREFIX + WINDOW.key, "something")
        assert not (await limiter.check([full, WINDOW])).admitted
        assert await spend(limiter, WINDOW) == 1


async def test_the_state_that_is_recorded_is_that_of_an_empty_key(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A closed bucket that is read by the recording alone."""
    async with open_limiter_on(redis_server.url) as limiter:
        for _ in range(3):
            await limiter.check([WINDOW])
        redis_server.command("HSET", PREFIX + WINDOW.key, "1", "x")
        verdict = await limiter.check([replace(WINDOW, wants_state=True)])
        assert verdict.states == {WINDOW.key: (0, 0)}
        assert limiter.health()["disconnects"] == 0
    assert list_replaced(caplog) == [("window", PREFIX + WINDOW.key)]


async def test_a_key_without_an_expiry_gets_one_with_its_next_charge(
    redis_server: RedisServer,
) -> None:
    async with open_limiter_on(redis_server.url) as limiter:
        for one in (WINDOW, STEADY, HELD):
            await limiter.check([one])
            assert redis_server.command("PERSIST", PREFIX + one.key) == ":1"
            assert await spend(limiter, replace(one, lease_id=one.lease_id and "other")) == 2
            assert redis_server.command("PERSIST", PREFIX + one.key) == ":1"


async def test_a_bucket_without_a_quota_is_read(redis_server: RedisServer) -> None:
    """Lockgate wrote no `q` once."""
    async with open_limiter_on(redis_server.url) as limiter:
        await limiter.check([STEADY])
        assert redis_server.command("HDEL", PREFIX + STEADY.key, "q") == ":1"
        assert await spend(limiter, STEADY) == 2


async def test_a_settlement_counts_in_a_new_key(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    charges = [WINDOW, STEADY, charge(QUOTA, name="fine")]
    async with open_limiter_on(redis_server.url) as limiter:
        before = limiter.mark()
        verdict = await limiter.check(charges)
        for one in charges[:2]:
            redis_server.command("SET", PREFIX + one.key, "something")
        sent = limiter.settle(Settlement([(one, 3) for one in charges], before, verdict))
        assert sent is not None
        await sent
        assert [await spend(limiter, one) for one in charges] == [4, 4, 5]
    assert [policy for policy, _ in list_replaced(caplog)] == ["window", "steady"]


@pytest.mark.parametrize("is_release", [False, True])
async def test_an_update_of_leases_replaces_the_key(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, is_release: bool
) -> None:
    fine = replace(HELD, key="lockgate:{other}:held:held")
    async with open_limiter_on(redis_server.url) as limiter:
        for one in (HELD, fine):
            await limiter.check([one])
        redis_server.command("SET", PREFIX + HELD.key, "something")
        sent = limiter.update_leases([LeaseUpdate(one, is_release) for one in (HELD, fine)])
        assert sent is not None
        await sent
        used = [await spend(limiter, replace(one, lease_id="next")) for one in (HELD, fine)]
        assert used == ([1, 1] if is_release else [2, 2])
    assert list_replaced(caplog) == [("held", PREFIX + HELD.key)]


async def test_restored_counts_replace_the_key(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_limiter_on(own_redis.url) as limiter:
        for one in (WINDOW, STEADY):
            await limiter.check([one])
        own_redis.command("FLUSHALL")
        for one in (WINDOW, STEADY):
            own_redis.command("SET", PREFIX + one.key, "something")
        await wait_disconnects(limiter, 1)
        assert [await spend(limiter, one) for one in (WINDOW, STEADY)] == [2, 2]
    assert sorted(policy for policy, _ in list_replaced(caplog)) == ["steady", "window"]


EPOCHS = {
    "string": ("SET", PREFIX + EPOCH_KEY, "something"),
    "id": ("HSET", PREFIX + EPOCH_KEY, "id", "something"),
    "numbers": ("HSET", PREFIX + EPOCH_KEY, "id", "e", "beat", "x", "wait", "-1"),
    "future": ("HSET", PREFIX + EPOCH_KEY, "id", "e", "wait", "8000000000000000"),
    "gone": ("DEL", PREFIX + EPOCH_KEY),
}


@pytest.mark.parametrize("command", EPOCHS.values(), ids=EPOCHS)
async def test_the_key_of_the_epoch_is_replaced_and_no_caller_gets_a_fresh_quota(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, command: Sequence[str]
) -> None:
    async with open_limiter_on(own_redis.url) as limiter:
        await limiter.check([replace(WINDOW, cost=5)])
        own_redis.command(*command)
        await wait_disconnects(limiter, 1)
        assert await spend(limiter, WINDOW) == 11  # counted twice: it was still there
    is_replaced = [key for _, key in list_replaced(caplog)] == [PREFIX + EPOCH_KEY]
    assert is_replaced == (command[0] == "SET" or len(command) > 4)


async def test_a_key_is_logged_once_and_not_too_many_are(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_limiter_on(redis_server.url) as limiter:
        for number in (0, *range(MAX_LOGGED_KEYS + 1)):
            one = replace(WINDOW, key=f"lockgate:{{{number}}}:window:60")
            redis_server.command("SET", PREFIX + one.key, "something")
            assert await spend(limiter, one) == 1
    keys = [key for _, key in list_replaced(caplog)]
    assert len(keys) == len(set(keys)) == MAX_LOGGED_KEYS


@pytest.mark.parametrize("first", ["*0", "*2\r\n:1\r\n:9", "*2\r\n:1\r\n$1\r\nx"])
async def test_positions_that_are_none_close_the_connection(first: str) -> None:
    async with FakeRedisServer(f"*1\r\n{first}\r\n".encode()).open() as server:
        limiter = RedisLimiter(server.url, timeout=PATIENCE, retry=PATIENCE)
        task = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
        with pytest.raises(RedisCheckFailed):
            await limiter.check([WINDOW])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def wait_disconnects(limiter: RateLimiter, number: int) -> None:
    """Wait until the limiter has connected again after so many disconnects."""
    async with asyncio.timeout(PATIENCE):
        while (health := limiter.health())["status"] != "ok" or health["disconnects"] != number:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)
