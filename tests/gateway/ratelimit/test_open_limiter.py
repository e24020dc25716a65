"""`open_limiter`: without a URL it counts in this process."""

from gateway.ratelimit.open_limiter import open_limiter
from gateway.settings.schema import Settings
from tests.gateway.ratelimit.charges import charge


async def test_without_a_url_it_counts_in_process() -> None:
    async with open_limiter(Settings(redis_url=None)) as limiter:
        verdict = await limiter.check([charge(120)])
        assert (verdict.admitted, verdict.standings[0].remaining) == (True, 119)
        assert limiter.health() == {"status": "ok", "counters": "embedded", "keys": 1}
