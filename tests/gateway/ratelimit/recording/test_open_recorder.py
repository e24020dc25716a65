"""The recorder sees what the limits of a whole process do, with a real Redis and without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.ratelimit import ConcurrencyLimit, RateLimit
from gateway.ratelimit.concurrency_leases import ConcurrencyLease
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.recording.events import (
    RecordedEvent,
    RecordedGap,
    RecordedLease,
    RecordedRequest,
    RecordedSettlement,
)
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.simulation.simulate_policies import UNKNOWN_COUNTS, simulate
from gateway.resources import Resources
from gateway.settings.schema import Counters, Ops, Settings
from tests.databases import wait_until
from tests.redis_server import RedisServer

TOKENS = RateLimit("tokens", "100/minute", cost=20)
CHATS = ConcurrencyLimit("chats", 2)
POLICIES = {"tokens": TOKENS, "chats": CHATS}


@asynccontextmanager
async def open_process(redis_url: str | None, **counters: object) -> AsyncIterator[Resources]:
    """Open the limits of a process."""
    resources = Resources()
    settings = Settings(
        redis_url=redis_url,
        counters=Counters.model_validate({"timeout_ms": 1_000, **counters}),
        ops=Ops(audience="operators"),
    )
    async with open_limits(settings, POLICIES, resources):
        yield resources


def list_events(process: Resources, *kinds: type[RecordedEvent]) -> list[RecordedEvent]:
    recorder: Recorder = process[Recorder]
    return [it for it in recorder.snapshot().iterate() if isinstance(it, kinds)]


def list_releases(process: Resources) -> list[bool]:
    """Return of each update of a lease whether it is a release."""
    leases = list_events(process, RecordedLease)
    return [it.is_release for it in leases if isinstance(it, RecordedLease)]


async def send_all_kinds(limits: Limits) -> None:
    """Reserve and settle, hold and release a lease, and reset the counts."""
    lease = ConcurrencyLease(limits.leases, "one")
    await limits.enforce([Demand(CHATS, "user:a")], lease)
    reservation = await limits.reserve([Demand(TOKENS, "user:a", cost=20)])
    await reservation.settle(5)
    limits.limiter.update_leases(lease.list_updates(is_release=False))
    lease.release()
    for _ in range(3):
        await limits.enforce([Demand(TOKENS, "user:a", cost=30)])
    limits.limiter.clear_local("lockgate:{user:a}")
    await limits.limiter.clear_shared("lockgate:{user:a}")
    await limits.enforce([Demand(TOKENS, "user:a")])
    await limits.enforce([Demand(TOKENS, "user:a")])


@pytest.mark.redis
@pytest.mark.parametrize("counts", ["redis", "memory"])
async def test_all_changes_of_counts_are_recorded(redis_server: RedisServer, counts: str) -> None:
    async with open_process(redis_server.url if counts == "redis" else None) as process:
        await send_all_kinds(process[Limits])
        # Redis replies later to the calls that are not awaited.
        await wait_until(lambda: list_releases(process) == [False, True])
        assert len(list_events(process, RecordedSettlement)) == 1
        gaps = list_events(process, RecordedGap)
        assert "lockgate:{user:a}" in {it.prefix for it in gaps if isinstance(it, RecordedGap)}
        simulation = simulate([process[Recorder].snapshot()], {})
        left_out = simulation.covers.left_out.get(UNKNOWN_COUNTS, 0)
        assert simulation.covers.requests + left_out == 7
        assert left_out < 7


async def test_a_key_that_is_evicted_is_known_again_from_its_next_request_on() -> None:
    async with open_process(None, local_keys=1_000) as process:
        limits: Limits = process[Limits]
        for partition in ("user:a", *(f"user:{number}" for number in range(1_000)), "user:a"):
            await limits.enforce([Demand(TOKENS, partition, cost=20)])
        simulation = simulate([process[Recorder].snapshot()], {})
        assert simulation.covers.left_out.get(UNKNOWN_COUNTS, 0) <= 1


@pytest.mark.redis
async def test_a_redis_that_was_away_is_a_gap(own_redis: RedisServer) -> None:
    async with open_process(own_redis.url, retry_ms=50) as process:
        limits: Limits = process[Limits]
        demand = [Demand(TOKENS, "user:a", cost=30)]
        await limits.enforce(demand)
        own_redis.kill()
        assert (await limits.enforce(demand)).degraded
        own_redis.start()
        while (await limits.enforce(demand)).degraded:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
        requests = list_events(process, RecordedRequest)
        assert len(requests) == 2
        gaps = [it for it in list_events(process, RecordedGap) if isinstance(it, RecordedGap)]
        assert sum(gap.requests for gap in gaps) >= 1
        assert simulate([process[Recorder].snapshot()], {}).covers.requests >= 1


async def test_no_two_recorders_have_the_same_name() -> None:
    async with open_process(None) as one, open_process(None) as other:
        assert one[Recorder].process != other[Recorder].process
