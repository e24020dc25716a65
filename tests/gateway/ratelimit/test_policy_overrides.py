"""The policies in force: as declared, unless the settings or an operator set another rate."""

import pytest

from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_overrides import PolicyOverrides, apply_rates
from gateway.settings.errors import InvalidSettings
from gateway.settings.rate import Rate
from tests.gateway.ratelimit.charges import ManualClock, charge

DECLARED = {
    "dashboards": RateLimit("dashboards", "120/minute", without_redis="deny", burst=7),
    "chat": RateLimit("chat", "10/minute", per="tenant", shadow=True),
}


def test_the_settings_replace_the_rate_and_nothing_else() -> None:
    changed = apply_rates(DECLARED, {"dashboards": Rate.parse("240/minute")})
    assert changed["dashboards"] == RateLimit(
        "dashboards", "240/minute", without_redis="deny", burst=7
    )
    assert changed["chat"] == DECLARED["chat"]


def test_an_unknown_name_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(InvalidSettings, match=r"limits\.dashbords: .*did you mean dashboards\?"):
        apply_rates(DECLARED, {"dashbords": Rate(1, 1)})
    with pytest.raises(InvalidSettings, match="known here: chat, dashboards"):
        apply_rates(DECLARED, {"zzz": Rate(1, 1)})


def test_a_rate_that_does_not_fit_the_burst_is_an_error_of_that_setting() -> None:
    with pytest.raises(InvalidSettings, match=r"limits\.dashboards: .*burst of 7 would refill"):
        apply_rates(DECLARED, {"dashboards": Rate.parse("1/99999days")})


def test_no_policy_replaces_the_limits_of_slowapis_decorators() -> None:
    with pytest.raises(InvalidSettings, match=r"limits\.slowapi: .*choose another name"):
        apply_rates({**DECLARED, "slowapi": RateLimit("slowapi", "1/minute")}, {})


async def test_a_rate_changed_at_run_time_applies_to_the_next_check() -> None:
    limiter = PolicyOverrides(MemoryLimiter(clock=ManualClock()), {})
    declared = charge(2)
    name = declared.policy.name
    assert [(await limiter.check([declared])).admitted for _ in range(3)] == [True, True, False]
    limiter.policies = {name: RateLimit(name, "5/minute")}
    verdict = await limiter.check([declared])
    assert (verdict.admitted, verdict.standings[0].remaining) == (True, 2)
    limiter.policies = {name: RateLimit(name, "1/minute")}
    assert not (await limiter.check([declared])).admitted
