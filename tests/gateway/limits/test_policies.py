"""Which policies are in force: as declared, unless the settings say another number."""

import pytest

from config.mistakes import SettingsMistaken
from config.rate import Rate, RateLimit
from gateway.limits.memory import MemoryLimiter
from gateway.limits.policies import InForce, effective
from tests.gateway.limits.setting import SetClock, charge

DECLARED = {
    "dashboards": RateLimit("dashboards", "120/minute", without_redis="deny", burst=7),
    "chat": RateLimit("chat", "10/minute", per="tenant", shadow=True),
}


def test_a_number_from_the_settings_replaces_the_rate_and_nothing_else() -> None:
    changed = effective(DECLARED, {"dashboards": Rate.parse("240/minute")})
    assert changed["dashboards"] == RateLimit(
        "dashboards", "240/minute", without_redis="deny", burst=7
    )
    assert changed["chat"] == DECLARED["chat"]


def test_an_unknown_name_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(SettingsMistaken, match=r"limits\.dashbords: .*did you mean dashboards\?"):
        effective(DECLARED, {"dashbords": Rate(1, 1)})
    with pytest.raises(SettingsMistaken, match="known here: chat, dashboards"):
        effective(DECLARED, {"zzz": Rate(1, 1)})


async def test_a_number_changed_while_running_acts_on_the_next_check() -> None:
    limiter = InForce(MemoryLimiter(clock=SetClock()), {})
    declared = charge(2)
    name = declared.policy.name
    assert [(await limiter.check([declared])).admitted for _ in range(3)] == [True, True, False]
    limiter.policies = {name: RateLimit(name, "5/minute")}
    verdict = await limiter.check([declared])
    assert (verdict.admitted, verdict.standings[0].remaining) == (True, 2)
    limiter.policies = {name: RateLimit(name, "1/minute")}
    assert not (await limiter.check([declared])).admitted
