"""Declaring a concurrency limit: every mistake has its message, and the rules that follow."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limited_dependency import limited
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule
from gateway.ratelimit.settings_rates import put_in_force
from gateway.settings.errors import InvalidSettings
from gateway.settings.rate import Rate

TIERS = {"tiers": {"pro": 9}, "tier_claim": "plan"}
CHATS = ConcurrencyLimit("chats", 5, lease_seconds=30, tiers={"pro": 20}, tier_claim="plan")
RULE = Rule("chats", "chats", Algorithm.CONCURRENCY, quota=5, window=30 * MICROSECONDS)


@pytest.mark.parametrize(
    ("limit", "options", "message"),
    [
        (0, {}, "policy p: limit is 0; it must be at least 1 and at most 100000"),
        (-1, {}, "limit is -1; it must be at least 1"),
        (100_001, {}, "limit is 100001; it must be"),
        ("5", {}, "limit is '5'; it must be a whole number of requests at one time, such as 5"),
        ("5/minute", {}, "limit is '5/minute'; it must be a whole number of requests"),
        (2.5, {}, "limit is 2.5"),
        (True, {}, "limit is True"),
        (None, {}, "limit is None"),
        (1, {"lease_seconds": 0}, "lease_seconds is 0; it must be at least 1 and at most 3600"),
        (1, {"lease_seconds": 3_601}, "lease_seconds is 3601"),
        (1, {"lease_seconds": 0.5}, "lease_seconds is 0.5; it must be a whole number of seconds"),
        (1, {"per": "adress"}, "per is 'adress'.*did you mean address"),
        (1, {"without_redis": "open"}, "without_redis is 'open'; .* local, deny, allow"),
        (1, {"shadow": "false"}, "shadow is 'false'; it must be True or False"),
        (1, {"tiers": {"pro": 9}}, "tiers needs tier_claim"),
        (1, TIERS | {"per": "address"}, "tiers needs a caller"),
        (1, TIERS | {"tiers": {"pro": "9/minute"}}, r"tiers\['pro'\] is '9/minute'; it must be a"),
        (1, TIERS | {"tiers": {"pro": 0}}, r"tiers\['pro'\] is 0; it must be at least 1"),
    ],
)
def test_an_invalid_value_is_refused(limit: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        ConcurrencyLimit("p", limit, **options)


@pytest.mark.parametrize("name", ["", "Chats", "a-b", None])
def test_an_invalid_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="use a lower-case letter"):
        ConcurrencyLimit(name, 1)


def test_its_rule_holds_leases_and_the_tier_selects_the_limit() -> None:
    assert CHATS.make_rules() == CHATS.make_rules("unknown") == (RULE,)
    assert CHATS.make_rules("pro") == (replace(RULE, quota=20),)
    assert RULE.key_suffix == "chats:held"
    assert CHATS.limit_text == "5 at one time"
    assert CHATS.claims == {"plan"}


def test_a_copy_has_other_values() -> None:
    changed = CHATS.change(limit=7, shadow=True)
    assert changed.make_rules() == (replace(RULE, quota=7, shadow=True),)
    assert CHATS.change() == CHATS
    with pytest.raises(ValueError, match="limit is 0"):
        CHATS.change(limit=0)


def test_an_override_of_a_key_is_a_limit_or_a_factor() -> None:
    kinds = {
        "user:1": KeyOverride("rate", limit=9),
        "user:2": KeyOverride("times", times=3),
        "user:3": KeyOverride("times", times=0.1),
        "user:4": KeyOverride("allow"),
    }
    in_force = PolicyInForce(CHATS, overrides=kinds)
    rules = [in_force.find_rules(partition, "pro", 0) for partition in kinds]
    quotas = (9, 60, 2)
    assert rules == [*((replace(RULE, quota=quota),) for quota in quotas), ()]
    with pytest.raises(ValueError, match="its override needs a limit, such as 5, not a rate"):
        CHATS.make_override_rules(KeyOverride("rate", rates=(Rate(5, 60),)))


def test_a_rate_of_the_settings_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="it has no rate"):
        put_in_force({"chats": CHATS}, {"chats": Rate(5, 60)})


def test_a_route_takes_it_next_to_a_rate_limit() -> None:
    with pytest.raises(TypeError, match="each a RateLimit or a ConcurrencyLimit; got 5"):
        limited(CHATS, 5)  # type: ignore[arg-type]
    assert limited(CHATS).dependency.takes_lease  # type: ignore[union-attr]
