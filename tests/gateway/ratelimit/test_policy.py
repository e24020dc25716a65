"""Declaring a policy: every mistake has its message."""

from typing import Any

import pytest

from gateway.ratelimit.policy import RateLimit


@pytest.mark.parametrize("name", [None, 7, "", "Dashboards", "1st", "a-b", 'a"b', "a" * 65])
def test_an_invalid_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="use a lower-case letter"):
        RateLimit(name, "1/minute")


@pytest.mark.parametrize(
    ("rate", "options", "message"),
    [
        ("many", {}, "is not a rate"),
        ("0/minute", {}, "is not a rate"),
        ("1000000000/minute", {}, "is not a rate"),
        (5, {}, "rate is 5; it must be a text such as '120/minute'"),
        (None, {}, "rate is None"),
        (b"1/minute", {}, "rate is b'1/minute'"),
        ("1/minute", {"burst": 0}, "burst is 0; it must be at least 1"),
        ("1/minute", {"burst": -1}, "it must be at least 1"),
        ("1/minute", {"burst": 10**30}, "at most 999999999"),
        ("1/day", {"burst": 100_000}, "would refill in more than 99999 days at 1/day"),
        ("1/minute", {"burst": 2.5}, "burst is 2.5; it must be a whole number"),
        ("1/minute", {"burst": "3"}, "burst is '3'"),
        ("1/minute", {"burst": True}, "burst is True"),
        ("1/minute", {"per": "adress"}, "per is 'adress'.*did you mean address"),
        ("1/minute", {"per": None}, "per is None; it must be one of user, service, tenant"),
        ("1/minute", {"without_redis": "open"}, "without_redis is 'open'; .* local, deny, allow"),
        ("1/minute", {"without_redis": "Deny"}, "did you mean deny"),
        ("1/minute", {"shadow": "false"}, "shadow is 'false'; it must be True or False"),
        ("1/minute", {"shadow": 1}, "shadow is 1"),
    ],
)
def test_an_invalid_value_is_refused_by_its_name(
    rate: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RateLimit("p", rate, **options)
