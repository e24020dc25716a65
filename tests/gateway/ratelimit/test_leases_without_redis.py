"""Leases while Redis is frozen, killed and restarted empty: on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from gateway.ratelimit.concurrency_leases import ConcurrencyLease, LeaseState
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.policy import RateLimit
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Counters, Settings
from tests.gateway.proxy.serve_proxy import wait_until
from tests.gateway.ratelimit.redis.test_failures import USER, get_url, set_user
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

CHATS = ConcurrencyLimit("chats", 4)
DENIED = ConcurrencyLimit("denied", 4, without_redis="deny")
DEMAND = Demand(CHATS, "user:1")


@asynccontextmanager
async def open_process(redis: RedisServer) -> AsyncIterator[Limits]:
    """Open what one of two processes counts with."""
    # A busy machine responds within the timeout; the tests that freeze Redis wait for it.
    counters = Counters(processes=2, timeout_ms=500, retry_ms=50)
    async with open_limits(
        Settings(redis_url=redis.url, counters=counters), {}, Resources()
    ) as limits:
        yield limits


async def begin(limits: Limits, demand: Demand = DEMAND) -> tuple[Verdict, ConcurrencyLease]:
    """Begin a request."""
    lease = limits.leases.open(RequestContext())
    verdict = await limits.enforce([demand], lease)
    return verdict, lease


async def look(limits: Limits, policy: ConcurrencyLimit) -> int:
    """Return how many requests Redis would admit; -1 without Redis."""
    verdict = await limits.enforce([Demand(policy, "user:1", cost=0)])
    return -1 if verdict.degraded else verdict.standings[0].remaining


async def wait_for_redis(limits: Limits, remaining: int, policy: ConcurrencyLimit = CHATS) -> None:
    """Wait until Redis would admit so many requests."""
    async with asyncio.timeout(30):
        while await look(limits, policy) != remaining:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


async def test_a_redis_that_comes_back_empty_knows_the_leases_at_once(
    own_redis: RedisServer,
) -> None:
    async with open_process(own_redis) as one, open_process(own_redis) as other:
        held = [await begin(one) for _ in range(3)]
        assert all(verdict.degraded is None for verdict, _ in held)
        own_redis.kill()
        await wait_until(lambda: one.limiter.health()["redis"] == "down")
        # Three are more than the share of this process, two; the other one has its share.
        assert (await begin(one))[0].refused_by == ("chats",)
        verdict, late = await begin(other)
        assert (verdict.admitted, verdict.degraded) == (True, "local")
        own_redis.start()
        await wait_for_redis(one, 0)
        await wait_for_redis(other, 0)
        for _, lease in (*held, (verdict, late)):
            lease.release()
        await wait_for_redis(one, 4)


async def test_a_release_that_redis_has_missed_arrives_later(own_redis: RedisServer) -> None:
    async with open_process(own_redis) as limits:
        leases = [(await begin(limits))[1] for _ in range(4)]
        assert not (await begin(limits))[0].admitted
        own_redis.pause()
        for lease in leases:
            lease.release()
        await wait_until(lambda: "4 releases unsent" in repr(limits.leases))
        own_redis.resume()
        await wait_for_redis(limits, 4)
        await wait_until(lambda: "0 releases unsent" in repr(limits.leases))


async def test_a_request_that_is_cancelled_during_its_check_holds_nothing(
    own_redis: RedisServer,
) -> None:
    async with open_process(own_redis) as limits:
        context = RequestContext()
        lease = limits.leases.open(context)
        check = asyncio.ensure_future(limits.enforce([DEMAND], lease))
        own_redis.pause()  # it gets the check, but does not reply
        await wait_until(lambda: lease.state is LeaseState.PENDING)
        check.cancel()
        context.end()
        own_redis.resume()
        await wait_for_redis(limits, 4)
        assert not limits.leases


async def test_a_lease_that_redis_did_not_confirm_in_time_is_not_lost(
    own_redis: RedisServer,
) -> None:
    """The check times out, so that it is not known whether Redis has granted it."""
    async with open_process(own_redis) as limits:
        own_redis.pause()
        verdict, lease = await begin(limits)
        assert (verdict.admitted, verdict.degraded) == (True, "local")
        own_redis.resume()
        await wait_for_redis(limits, 3)
        lease.release()
        await wait_for_redis(limits, 4)


async def test_the_documented_permissions_are_enough(own_redis: RedisServer) -> None:
    """For leases that are taken, renewed, shortened and released, and for settlements."""
    assert own_redis.command(*set_user()) == "+OK"
    settings = Settings(redis_url=get_url(own_redis, USER), counters=Counters(timeout_ms=1_000))
    async with open_limits(settings, {}, Resources()) as limits:
        _, lease = await begin(limits)
        limits.leases.renew_all()
        brief = Demand(ConcurrencyLimit("chats", 4, lease_seconds=1), "user:1", cost=0)
        assert (await limits.enforce([brief])).standings[0].remaining == 3
        lease.release()
        await wait_for_redis(limits, 4)
        for burst in (None, 100):
            policy = RateLimit(f"tokens_{burst or 0}", "100/hour", burst=burst)
            reservation = await limits.reserve([Demand(policy, "user:1", None, 50)])
            await reservation.settle(5)
            verdict = await limits.enforce([Demand(policy, "user:1", cost=0)])
            assert (verdict.degraded, verdict.standings[0].remaining) == (None, 95)
        assert limits.limiter.health()["disconnects"] == 0


async def test_leases_are_renewed_so_that_they_outlive_their_time(own_redis: RedisServer) -> None:
    brief = Demand(ConcurrencyLimit("chats", 4, lease_seconds=1), "user:1")
    async with open_process(own_redis) as limits:
        await begin(limits, brief)
        taken_until = read_expiry(own_redis)
        await wait_until(lambda: read_expiry(own_redis) > taken_until)
        verdict = await limits.enforce([Demand(brief.policy, "user:1", cost=0)])
        assert verdict.standings[0].remaining == 3


def read_expiry(server: RedisServer) -> float:
    """Return when the last lease in Redis expires, in microseconds; 0 if there is none."""
    with Redis.from_url(server.url) as client:
        expiries = [
            expires_at
            for key in client.scan_iter("lockgate:{user:1}:*")
            for _, expires_at in client.zrange(key, 0, -1, withscores=True)
        ]
    return max(expiries, default=0.0)
