"""A live document over what the code and the settings declare; each misfit names its field."""

from typing import Any

import pytest

from gateway.ratelimit.live.apply_document import apply_document
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block, PolicyInForce
from gateway.ratelimit.rule import Algorithm
from tests.gateway.ratelimit.live.live_process import NOW, USER, declare

PAGES, ORDERS, SIGN_IN, CHATS = declare()
END = "2027-01-15T08:00:00Z"  # NOW


def put_in_force(policy: Any, now: float = NOW - 60, **document: Any) -> PolicyInForce:
    base = PolicyInForce(policy, source="settings")
    return apply_document(base, LiveDocument.parse(document)).make_in_force(3, now)


def list_quotas(in_force: PolicyInForce, key: str = USER, tier: str | None = None) -> list[int]:
    rules = in_force.find_rules(key, tier, NOW)
    assert not isinstance(rules, Block)
    return [rule.quota for rule in rules]


def find_errors(policy: Any, **document: Any) -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        put_in_force(policy, **document)
    return {error.path: error.message for error in caught.value.errors}


def test_only_the_fields_of_the_document_are_changed() -> None:
    in_force = put_in_force(ORDERS, tiers={"free": "50/minute", "gold": "9/second"})
    assert list_quotas(in_force) == [10, 100]
    assert list_quotas(in_force, tier="free") == [50]
    assert list_quotas(in_force, tier="pro") == [600]
    assert list_quotas(in_force, tier="gold") == [9]
    assert (in_force.version, in_force.source) == (3, "live")


def test_values_and_the_algorithm_can_be_changed() -> None:
    assert list_quotas(put_in_force(PAGES, rate="5/second, 200/minute")) == [5, 200]
    steady = put_in_force(PAGES, burst=9).find_rules(USER, None, NOW)
    assert not isinstance(steady, Block)
    assert (steady[0].algorithm, steady[0].burst) == (Algorithm.GCRA, 9)
    exact = put_in_force(ORDERS, burst=0, shadow=True).find_rules(USER, None, NOW)
    assert not isinstance(exact, Block)
    assert {rule.algorithm for rule in exact} == {Algorithm.SLIDING_WINDOW}
    assert all(rule.shadow for rule in exact)
    prefetched = RateLimit("hot", "600/minute", prefetch=10)
    [rule] = put_in_force(prefetched, prefetch=0).policy.make_rules()
    assert rule.prefetch == 0


def test_a_concurrency_limit_has_numbers() -> None:
    overrides = {
        "user:1": {"kind": "rate", "limit": 9},
        "user:2": {"kind": "times", "times": 2.5},
    }
    in_force = put_in_force(CHATS, limit=4, tiers={"pro": 8}, overrides=overrides)
    assert list_quotas(in_force) == [4]
    assert list_quotas(in_force, tier="pro") == [8]
    assert list_quotas(in_force, "user:1", "pro") == [9]
    assert list_quotas(in_force, "user:2") == [10]
    assert put_in_force(CHATS, shadow=True).policy.make_rules()[0].shadow


def test_an_end_ends_the_values_and_not_the_overrides() -> None:
    document: dict[str, Any] = {
        "rate": "1/minute",
        "until": END,
        "overrides": {USER: {"kind": "block"}, "user:2": {"kind": "allow", "until": END}},
    }
    before = put_in_force(PAGES, **document)
    assert (before.source, list_quotas(before, "user:3")) == ("live", [1])
    assert list(before.overrides) == [USER, "user:2"]
    after = put_in_force(PAGES, now=NOW, **document)
    assert (after.source, list_quotas(after, "user:3")) == ("settings", [120])
    assert after.policy is PAGES
    assert list(after.overrides) == [USER]
    assert isinstance(after.find_rules(USER, None, NOW), Block)


def test_the_next_end_is_the_first_that_is_to_come() -> None:
    overrides = {"user:1": {"kind": "allow", "until": "2027-01-15T08:00:05Z"}}
    document = LiveDocument.parse({"rate": "1/minute", "until": END, "overrides": overrides})
    applied = apply_document(PolicyInForce(PAGES), document)
    assert applied.find_next_end(NOW - 1) == NOW
    assert applied.find_next_end(NOW) == NOW + 5
    assert applied.find_next_end(NOW + 5) is None


def test_overrides_of_each_kind() -> None:
    in_force = put_in_force(
        ORDERS,
        overrides={
            "user:1": {"kind": "rate", "rate": "3/minute"},
            "user:2": {"kind": "times", "times": 5},
            "user:3": {"kind": "allow"},
            "subject:4": {"kind": "block", "until": "2027-01-15T08:00:30Z"},
        },
    )
    assert in_force.source == "settings"  # the values are
    assert list_quotas(in_force, "user:1") == [3]
    assert list_quotas(in_force, "user:2") == [50, 500]
    assert list_quotas(in_force, "user:2", "free") == [25, 300]
    assert in_force.find_rules("user:3", None, NOW) == ()
    block = in_force.find_rules("subject:4", None, NOW)
    assert isinstance(block, Block)
    assert block.compute_retry_after(NOW) == 30


MISFITS: list[tuple[Any, dict[str, Any], str, str]] = [
    (PAGES, {"limit": 5}, "limit", "is no value of a rate limit, as pages is"),
    (PAGES, {"tiers": {"free": "1/day"}}, "tiers", "pages has no tiers: its declaration names no"),
    (CHATS, {"rate": "9/day"}, "rate", "is no value of a concurrency limit, as chats is"),
    (CHATS, {"burst": 9}, "burst", "is no value of a concurrency limit, as chats is"),
    (CHATS, {"limit": 999_999}, "limit", "limit is 999999; it must be at least 1 and at most"),
    (CHATS, {"tiers": {"pro": "9/day"}}, "tiers.pro", "must be a number of requests at once"),
    (
        CHATS,
        {"overrides": {USER: {"kind": "rate", "rate": "9/day"}}},
        f'overrides."{USER}".rate',
        "it limits the requests at one time; its override needs a limit",
    ),
    (ORDERS, {"tiers": {"free": 5}}, "tiers.free", "must be a rate such as 60/minute"),
    (PAGES, {"rate": "9/minute, 9/minute"}, "rate", "9/minute and 9/minute have the same window"),
    (
        PAGES,
        {"rate": "1/9999days", "burst": 99},
        "burst",
        "burst is 99; with 1/9999days it",
    ),
    (
        ORDERS,
        {"rate": "1/9999days"},
        "rate",
        "burst is 20; with 1/9999days it",
    ),
    (
        PAGES,
        {"prefetch": 5_000},
        "prefetch",
        "prefetch is 5000; it must be at least 1 and at most",
    ),
    (
        PAGES,
        {"overrides": {"address:192.0.2.1": {"kind": "block"}}},
        'overrides."address:192.0.2.1"',
        "pages counts per user, so that its keys begin with user: or subject:",
    ),
    (
        SIGN_IN,
        {"overrides": {USER: {"kind": "block"}}},
        f'overrides."{USER}"',
        "sign_in counts per address, so that its keys begin with address:",
    ),
    (
        PAGES,
        {"overrides": {USER: {"kind": "rate", "limit": 5}}},
        f'overrides."{USER}".limit',
        "its override needs a rate, and not a limit",
    ),
    (
        PAGES,
        {"overrides": {USER: {"kind": "rate", "rate": "9/day, 9/day"}}},
        f'overrides."{USER}".rate',
        "9/day and 9/day have the same window",
    ),
]


@pytest.mark.parametrize(("policy", "document", "path", "message"), MISFITS)
def test_a_misfit_has_the_path_of_its_field(
    policy: Any, document: dict[str, Any], path: str, message: str
) -> None:
    errors = find_errors(policy, **document)
    assert list(errors) == [path]
    assert errors[path].startswith(message)


def test_values_that_fit_only_together_fit() -> None:
    in_force = put_in_force(ORDERS, rate="1/9999days", burst=1, tiers={"free": "1/day"})
    assert list_quotas(in_force) == [1]


def test_all_misfits_are_reported_at_once() -> None:
    errors = find_errors(
        PAGES,
        rate="9/minute, 9/minute",
        prefetch=5_000,
        overrides={"service:1": {"kind": "block"}, USER: {"kind": "rate", "limit": 1}},
    )
    keys = ['overrides."service:1"', f'overrides."{USER}".limit']
    assert list(errors) == ["rate", "prefetch", *keys]


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"rate": "4/minute"}, "rate"),
        (
            {"overrides": {"user:1": {"kind": "rate", "rate": "4/minute"}}},
            'overrides."user:1".rate',
        ),
        ({"overrides": {"user:1": {"kind": "times", "times": 0.1}}}, 'overrides."user:1".times'),
    ],
)
def test_values_below_the_cost_of_a_request_are_refused(
    document: dict[str, object], path: str
) -> None:
    base = PolicyInForce(RateLimit("exports", "20/minute", cost=5))
    with pytest.raises(InvalidDocument, match="every request would be refused") as caught:
        apply_document(base, LiveDocument.parse(document))
    assert [error.path for error in caught.value.errors] == [path]
