"""The rates of the settings: `limits.NAME` replaces those of the code, and nothing else."""

import pytest

from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.settings_rates import apply_rates, put_in_force
from gateway.settings.errors import InvalidSettings
from gateway.settings.rate import Rate, parse_rates

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
    with pytest.raises(InvalidSettings, match=r"limits\.dashboards: .*99999days is too long for"):
        apply_rates(DECLARED, {"dashboards": Rate.parse("1/99999days")})


@pytest.mark.parametrize("name", ["oauth_clients", "wrong_api_keys"])
def test_no_policy_replaces_a_limit_of_the_gateway_itself(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"limits.{name}: is the name of a limit of the gate"):
        apply_rates({name: RateLimit(name, "1/minute")}, {})


def test_no_policy_replaces_the_limits_of_slowapis_decorators() -> None:
    with pytest.raises(InvalidSettings, match=r"limits\.slowapi: .*choose another name"):
        apply_rates({**DECLARED, "slowapi": RateLimit("slowapi", "1/minute")}, {})


def test_the_source_of_each_policy_is_known() -> None:
    policies = put_in_force(DECLARED, {"chat": parse_rates("1/second, 10/minute")})
    assert {one.policy.name: one.source for one in policies} == {
        "dashboards": "code",
        "chat": "settings",
    }
    changed = policies.get(DECLARED["chat"]).policy
    assert changed == DECLARED["chat"].change(rate="1/second, 10/minute")
