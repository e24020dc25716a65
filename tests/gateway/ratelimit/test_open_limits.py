"""`open_limits`: the settings change what is in force; an unknown policy ends the start."""

import pytest
from pydantic import RedisDsn

from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.open_limits import open_limits
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings
from tests.sample.limits import DASHBOARDS

POLICIES = {"dashboards": DASHBOARDS}


async def test_the_settings_change_the_rate_of_a_policy() -> None:
    settings = Settings(redis_url=None, limits={"dashboards": Rate(2, 60)})
    resources, demand = Resources(), Demand(DASHBOARDS, "user:1")
    async with open_limits(settings, POLICIES, resources) as limits:
        admitted = [(await limits.enforce([demand])).admitted for _ in range(3)]
        assert resources[Limits] is limits
        assert resources[RateLimiter].health()["keys"] == 1
    assert admitted == [True, True, False]


async def test_an_unknown_policy_is_refused_before_it_connects_to_redis() -> None:
    url = RedisDsn("redis://127.0.0.1:1/0")
    settings = Settings(redis_url=url, limits={"dashbord": Rate(2, 60)})
    with pytest.raises(InvalidSettings, match="did you mean dashboards"):
        async with open_limits(settings, POLICIES, Resources()):
            pass
