"""Declaring a policy: every mistake has its message."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.rule import Algorithm
from gateway.settings.rate import Rate

TIERS = {"tiers": {"pro": "9/day"}, "tier_claim": "plan"}


async def read_cost(connection: HTTPConnection) -> int:
    """Await something, which no cost can."""
    return 1


@pytest.mark.parametrize("name", [None, 7, "", "Dashboards", "1st", "a-b", 'a"b', "a" * 65])
def test_an_invalid_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="use a lower-case letter"):
        RateLimit(name, "1/minute")


@pytest.mark.parametrize(
    ("rate", "options", "message"),
    [
        ("many", {}, "policy p: rate: 'many' is not a rate"),
        ("0/minute", {}, "is not a rate.*; the count is at least 1"),
        ("1000000000/minute", {}, "is not a rate"),
        (5, {}, "rate is 5; it must be a text such as '120/minute'"),
        (None, {}, "rate is None"),
        (b"1/minute", {}, "rate is b'1/minute'"),
        ("1/minute", {"burst": 0}, "burst is 0; with 1.minute it must be at least 1"),
        ("1/minute", {"burst": -1}, "it must be at least 1"),
        ("1/minute", {"burst": 10**30}, "at most 71999280"),
        ("1/day", {"burst": 100_000}, "with 1/day it must be at least 1 and at most 49999, up to"),
        ("1/minute", {"burst": 2.5}, "burst is 2.5; it must be a whole number"),
        ("1/minute", {"burst": "3"}, "burst is '3'"),
        ("1/minute", {"burst": True}, "burst is True"),
        ("1/minute", {"per": "adress"}, "per is 'adress'.*did you mean address"),
        ("1/minute", {"per": None}, "per is None; it must be one of user, service, tenant"),
        ("1/minute", {"without_redis": "open"}, "without_redis is 'open'; .* local, deny, allow"),
        ("1/minute", {"without_redis": "Deny"}, "did you mean deny"),
        ("1/minute", {"shadow": "false"}, "shadow is 'false'; it must be True or False"),
        ("1/minute", {"shadow": 1}, "shadow is 1"),
        ([], {}, "it has 0 rates; it must have 1 to 5"),
        ("1/second, 2/minute, 3/hour, 4/day, 5/2days, 6/3days", {}, "has 6 rates; at most 5"),
        (["1/second, 2/minute", 7], {}, "rate is 7"),
        ("5/minute, 9/60seconds", {}, "5/minute and 9/minute have the same window"),
        ("10/second, 5/minute", {}, "10/second never refuses a request, because 5/minute"),
        ("9/second, 9/minute", {}, "9/second never refuses a request"),
        ("1/second, 9/minute, 9/day", {"burst": 3}, "9/minute never refuses a request"),
        ("1/minute", {"per": "claim:"}, "per is 'claim:'; it must be claim:NAME"),
        ("1/minute", {"per": "claim:a b"}, "per is 'claim:a b'; it must be claim:NAME"),
        ("1/minute", {"per": "claims:org"}, "it must be one of user, .*, claim:NAME"),
        ("1/minute", {"tier_claim": "plan"}, "tier_claim selects a tier, and there are no tiers"),
        ("1/minute", {"tiers": {"pro": "9/day"}}, "tiers needs tier_claim, the claim"),
        ("1/minute", TIERS | {"tier_claim": 7}, "tier_claim is 7; it must be the name of a claim"),
        ("1/minute", TIERS | {"tier_claim": "claim:plan"}, "must be the name of a claim"),
        ("1/minute", TIERS | {"tiers": ["9/day"]}, "it must be a dict such as"),
        ("1/minute", TIERS | {"tiers": {}}, "tiers has 0 entries; it must have 1 to 100"),
        ("1/minute", TIERS | {"tiers": {"": "9/day"}}, "the value of the claim as its name"),
        ("1/minute", TIERS | {"tiers": {1: "9/day"}}, "it must be a dict such as"),
        ("1/minute", TIERS | {"tiers": {"pro": "fast"}}, r"tiers\['pro'\]: 'fast' is not a rate"),
        (
            "1/minute",
            TIERS | {"tiers": {"pro": None}},
            r"tiers\['pro'\] is None; it must be",
        ),
        ("1/minute", TIERS | {"per": "address"}, "tiers needs a caller, and per is 'address'"),
        ("9/minute", TIERS | {"cost": 9, "tiers": {"pro": "3/hour"}}, "at most 3 fit at once"),
        ("9/minute", {"cost": -1}, "cost is -1; it must be at least 0"),
        ("9/minute", {"cost": 10**9}, "cost is 1000000000; it must be at least 0 and at most"),
        ("9/minute", {"cost": True}, "cost is True; it must be a whole number, or a function"),
        ("9/minute", {"cost": 0.5}, "cost is 0.5"),
        ("9/minute", {"cost": "1"}, "cost is '1'"),
        ("9/minute", {"cost": 10}, "every request would be refused; at most 9 fit at once"),
        ("9/minute", {"cost": 5, "burst": 4}, "at most 4 fit at once"),
        ("9/minute", {"cost": read_cost}, "cost is a coroutine function; it must be a plain"),
        ("9/minute", {"prefetch": 0}, "prefetch is 0; it must be at least 1"),
        ("9/minute", {"prefetch": 10}, "at most the smallest quota, 9"),
        ("9/minute", {"prefetch": 2.0}, "prefetch is 2.0; it must be a whole number, or None"),
        ("3000/minute", {"prefetch": 9, "burst": 9}, "it must be at least 100"),
        (
            "9/second",
            {"prefetch": 2},
            "prefetch needs windows of at least 10 seconds; 9/second",
        ),
    ],
)
def test_an_invalid_value_is_refused_by_its_name(
    rate: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RateLimit("p", rate, **options)


def test_several_rates_can_be_given_as_a_text_or_a_list_in_any_order() -> None:
    rates = (Rate(10, 1), Rate(120, 60), Rate(9_000, 86_400))
    texts = ("9000/day, 10/second,120/minute", ["120/minute, 9000/day", "10/second"], list(rates))
    assert {RateLimit("p", text).rates for text in texts} == {rates}
    assert RateLimit("p", texts[0], burst=3).limit_text == (
        "10/second, 120/minute, 9000/day burst 3"
    )


def test_the_shortest_window_has_the_burst_and_the_others_are_sliding() -> None:
    policy = RateLimit("p", "10/second, 120/minute", burst=3, shadow=True, without_redis="deny")
    first, second = policy.make_rules()
    assert (first.algorithm, first.label, first.burst) == (Algorithm.GCRA, "p:1s", 3)
    assert (second.algorithm, second.label, second.burst) == (Algorithm.SLIDING_WINDOW, "p:60s", 0)
    assert all(rule.shadow and rule.without_redis == "deny" for rule in (first, second))


def test_a_changed_policy_keeps_the_other_values_and_is_checked() -> None:
    policy = RateLimit("p", "9/minute", burst=3, per="tenant", **TIERS)  # type: ignore[arg-type]
    changed = policy.change(rate="5/minute, 99/hour")
    assert changed == RateLimit("p", "5/minute, 99/hour", burst=3, per="tenant", **TIERS)  # type: ignore[arg-type]
    assert policy.change(tiers=None, tier_claim=None).tiers == {}
    assert hash(policy) != hash(changed)
    with pytest.raises(ValueError, match="burst is 0"):
        policy.change(burst=0)
