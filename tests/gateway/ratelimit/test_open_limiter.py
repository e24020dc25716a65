"""`open_limiter`: in process without a URL; invalid settings are refused before it connects."""

import pytest
from pydantic import RedisDsn

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.open_limiter import open_limiter
from gateway.settings.errors import InvalidSettings
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings
from tests.sample.limits import DASHBOARDS

POLICIES = {"dashboards": DASHBOARDS}


async def test_without_a_url_it_counts_in_process() -> None:
    async with open_limiter(Settings(redis_url=None), POLICIES) as limiter:
        verdict = await limiter.check([Charge(DASHBOARDS, "k")])
        assert (verdict.admitted, verdict.standings[0].remaining) == (True, 119)
        assert limiter.health() == {"status": "ok", "counters": "embedded", "keys": 1}


async def test_the_settings_override_a_rate() -> None:
    settings = Settings(redis_url=None, limits={"dashboards": Rate(2, 60)})
    async with open_limiter(settings, POLICIES) as limiter:
        admitted = [(await limiter.check([Charge(DASHBOARDS, "k")])).admitted for _ in range(3)]
    assert admitted == [True, True, False]


async def test_an_unknown_policy_is_refused_before_it_connects_to_redis() -> None:
    url = RedisDsn("redis://127.0.0.1:1/0")
    settings = Settings(redis_url=url, limits={"dashbord": Rate(2, 60)})
    with pytest.raises(InvalidSettings, match="did you mean dashboards"):
        async with open_limiter(settings, POLICIES):
            pass
