"""Four processes and one Redis: at no time do more requests run than the limit says."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.policy import RateLimit
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Counters, Settings
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

LIMIT, REQUESTS, AT_ONCE = 7, 1_200, 40
LEASE_SECONDS = 60  # no lease expires within this test
CHATS = ConcurrencyLimit(
    "chats", LIMIT, tiers={"pro": 2 * LIMIT}, tier_claim="plan", lease_seconds=LEASE_SECONDS
)
RATE = RateLimit("rate", "600/hour")


class Running:
    """Counts the requests that run, and the most at one time."""

    def __init__(self) -> None:
        self.now = self.most = self.admitted = 0

    async def run(self, limits: Limits, tier: str | None, pause: float) -> None:
        """Run one request to its end, or to the moment in which its caller leaves."""
        context = RequestContext()
        lease = limits.leases.open(context)
        demands = [Demand(CHATS, "user:1", tier), Demand(RATE, "user:1")]
        try:
            verdict = await limits.enforce(demands, lease)
            assert verdict.degraded is None
            if verdict.admitted:
                await self._work(pause)
        finally:
            context.end()

    async def _work(self, pause: float) -> None:
        self.admitted += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(pause)
        finally:
            self.now -= 1


async def read_remaining(limits: Limits, tier: str | None) -> int:
    """Return how many more requests of the caller may run."""
    look = await limits.enforce([Demand(CHATS, "user:1", tier, cost=0)])
    return look.standings[0].remaining


async def wait_for_releases(limits: Limits, tier: str | None, limit: int) -> None:
    """Wait until no lease is held: each process sends its releases on a connection of its own."""
    for _ in range(500):
        if await read_remaining(limits, tier) >= limit:
            break
        await asyncio.sleep(0.01)
    assert await read_remaining(limits, tier) == limit


@pytest.mark.parametrize(("tier", "limit"), [(None, LIMIT), ("pro", 2 * LIMIT)])
async def test_no_more_requests_run_than_the_limit_says(
    redis_server: RedisServer, tier: str | None, limit: int
) -> None:
    """Callers leave at any moment. Those that the other limit refuses hold no lease."""
    settings = Settings(redis_url=redis_server.url, counters=Counters(timeout_ms=1_000))
    chance, running, slots = random.Random(7), Running(), asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(open_limits(settings, {}, Resources()))
            for _ in range(4)
        ]

        async def send(number: int) -> None:
            async with slots:
                request = running.run(processes[number % 4], tier, chance.choice((0, 0.001, 0.004)))
                try:
                    await asyncio.wait_for(request, chance.choice((None, None, 0.002)))
                except TimeoutError:
                    return

        await asyncio.gather(*map(send, range(REQUESTS)))
        assert running.most == limit
        assert LIMIT < running.admitted <= 600
        await wait_for_releases(processes[0], tier, limit)
