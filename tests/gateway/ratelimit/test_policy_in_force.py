"""The rules that count a key: those of the policy, of a tier, or of an override."""

import pytest

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import MAX_POLICIES, Block, PoliciesInForce, PolicyInForce
from gateway.settings.rate import parse_rates

PAGES = RateLimit(
    "pages",
    "10/second, 100/minute",
    burst=4,
    tiers={"pro": "300/minute"},
    tier_claim="plan",
    shadow=True,
)


def list_numbers(
    override: KeyOverride | None, tier: str | None = None, now: float = 50
) -> list[tuple[str, int, int]]:
    """List the label, quota and burst of each rule of a key with this override."""
    overrides = {} if override is None else {"user:1": override}
    rules = PolicyInForce(PAGES, overrides=overrides).find_rules("user:1", tier, now)
    assert not isinstance(rules, Block)
    assert all(rule.shadow for rule in rules)
    return [(rule.label, rule.quota, rule.burst) for rule in rules]


def test_the_tier_selects_the_rates() -> None:
    plain = [("pages:1s", 10, 4), ("pages:60s", 100, 0)]
    assert list_numbers(None) == list_numbers(None, "free") == plain
    assert list_numbers(None, "pro") == [("pages", 300, 4)]


def test_an_override_ends_by_itself() -> None:
    override = KeyOverride("rate", rates=parse_rates("7/minute"), until=100)
    assert list_numbers(override, "pro", 99.9) == [("pages", 7, 4)]
    assert list_numbers(override, "pro", 100) == [("pages", 300, 4)]


def test_a_factor_multiplies_quotas_and_bursts_of_the_tier() -> None:
    assert list_numbers(KeyOverride("times", times=2.5)) == [
        ("pages:1s", 25, 10),
        ("pages:60s", 250, 0),
    ]
    assert list_numbers(KeyOverride("times", times=2), "pro") == [("pages", 600, 8)]
    assert list_numbers(KeyOverride("times", times=0.001)) == [
        ("pages:1s", 1, 1),
        ("pages:60s", 1, 0),
    ]


def test_a_block_of_a_shadow_policy_says_so() -> None:
    in_force = PolicyInForce(PAGES, overrides={"user:1": KeyOverride("block")})
    assert in_force.find_rules("user:1", None, 0) == Block("pages", shadow=True)


def test_plain_rules_are_the_same_objects_for_all_keys_and_made_up_tiers_cost_no_memory() -> None:
    in_force = PolicyInForce(PAGES, overrides={"user:1": KeyOverride("times", times=2)})
    assert in_force.find_rules("user:2", None, 0) is in_force.find_rules("user:3", "x", 0)
    first = in_force.find_rules("user:1", "x0", 0)
    assert all(in_force.find_rules("user:1", f"x{number}", 0) is first for number in range(99))


def test_a_policy_that_is_declared_for_each_request_is_an_error() -> None:
    policies = PoliciesInForce()
    declared = [RateLimit(f"p{number}", "1/second") for number in range(MAX_POLICIES + 1)]
    for policy in declared[:-1]:
        policies.get(policy)
    with pytest.raises(RuntimeError, match="declare a policy once, and not per request"):
        policies.get(declared[-1])
