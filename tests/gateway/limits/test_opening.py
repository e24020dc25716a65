"""Opening the limiter: embedded without a URL; a wrong name is refused before anything starts."""

import pytest
from pydantic import RedisDsn

from config.limits import DASHBOARDS
from config.mistakes import SettingsMistaken
from config.rate import Rate
from config.settings import Settings
from gateway.limits.limiter import Charge
from gateway.limits.opening import open_limiter


async def test_without_a_url_it_counts_in_this_process() -> None:
    async with open_limiter(Settings(redis_url=None)) as limiter:
        verdict = await limiter.check([Charge(DASHBOARDS, "k")])
        assert (verdict.admitted, verdict.standings[0].remaining) == (True, 119)
        assert limiter.health() == {"status": "ok", "counters": "embedded", "keys": 1}


async def test_the_settings_have_the_last_word_on_a_rate() -> None:
    settings = Settings(redis_url=None, limits={"dashboards": Rate(2, 60)})
    async with open_limiter(settings) as limiter:
        admitted = [(await limiter.check([Charge(DASHBOARDS, "k")])).admitted for _ in range(3)]
    assert admitted == [True, True, False]


async def test_a_wrong_name_is_refused_before_redis_is_tried() -> None:
    url = RedisDsn("redis://127.0.0.1:1/0")
    settings = Settings(redis_url=url, limits={"dashbord": Rate(2, 60)})
    with pytest.raises(SettingsMistaken, match="did you mean dashboards"):
        async with open_limiter(settings):
            pass
