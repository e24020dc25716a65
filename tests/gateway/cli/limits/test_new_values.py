"""The values that `set` and `simulate` take: a rate, the rate of a tier, or a number."""

import argparse
from typing import Any

import pytest

from gateway.cli.limits.limit_document import describe_document, find_values, format_value
from gateway.cli.limits.new_values import InvalidRate, create_rate_patch
from gateway.ops.models import Kind, Limit, Values


def make_limit(kind: Kind = "rate", name: str = "chats", **tiers: str) -> Limit:
    rate, limit = ("1/second", None) if kind == "rate" else (None, 5)
    values = Values(
        rate=rate, limit=limit, burst=None, shadow=False, per="user", tiers=tiers,
        tier_claim="plan", without_redis="local", prefetch=None, cost=1,
    )  # fmt: skip
    return Limit(
        name=name, kind=kind, version=0, source="code", in_force=values, declared=values,
        settings=None, live=None, changed=None, overrides=[], fault=None,
    )  # fmt: skip


def create(limit: Limit, rate: str | None, **options: Any) -> dict[str, Any]:
    given = {"burst": None, "tier": None, **options}
    return create_rate_patch(argparse.Namespace(rate=rate, **given), limit)


def test_values_whose_end_has_come_are_not_in_force() -> None:
    document = {"rate": "9/second", "until": "2099-12-04T18:00:00Z"}
    assert find_values(make_limit(), document)["rate"] == "9/second"
    over = document | {"until": "2020-12-04T18:00:00Z"}
    assert find_values(make_limit(), over)["rate"] == "1/second"


def test_a_rate_limit_has_a_rate_as_it_is_written() -> None:
    assert create(make_limit(), "10/second, 99/minute") == {"rate": "10/second, 99/minute"}
    assert create(make_limit(), "10/second", burst=7) == {"rate": "10/second", "burst": 7}
    assert create(make_limit(), None) == {}


def test_the_rate_of_a_tier_keeps_the_other_tiers() -> None:
    limit = make_limit(free="10/minute", pro="100/minute")
    assert create(limit, "90/minute", tier="pro") == {"tiers": {"pro": "90/minute"}}


def test_a_new_tier_is_announced_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    create(make_limit(free="10/minute"), "90/minute", tier="gold")
    assert capsys.readouterr().err == "lockgate: the tier gold is new; chats has: free\n"
    create(make_limit(free="10/minute"), "90/minute", tier="free")
    assert capsys.readouterr().err == ""


def test_tiers_are_shown() -> None:
    tiers = {"free": "10/minute", "pro": "100/minute"}
    assert format_value(tiers) == "free 10/minute, pro 100/minute"
    assert format_value({}) == "-"
    assert describe_document({"tiers": tiers}) == "tiers free 10/minute, pro 100/minute"
    override = {"kind": "block", "caller": "user:42"}
    assert describe_document({"overrides": {"user:9f": override}}) == "override user:42 block"
    many = {f"user:{number}": override for number in range(5)}
    assert describe_document({"overrides": many}).endswith("override user:42 block, 2 more")
    assert find_values(make_limit(free="1/hour"), {"tiers": {"pro": "2/hour"}})["tiers"] == {
        "free": "1/hour",
        "pro": "2/hour",
    }


@pytest.mark.parametrize("text", ["bananas", "", "60/fortnight"])
def test_a_rate_limit_needs_a_rate(text: str) -> None:
    with pytest.raises(InvalidRate, match="rate: "):
        create(make_limit(), text)


def test_a_concurrency_limit_has_a_number() -> None:
    assert create(make_limit("concurrency"), "20") == {"limit": 20}


@pytest.mark.parametrize("text", ["60/minute", "0", "-1", "\u0661", "99999999999"])
def test_a_concurrency_limit_has_no_rate(text: str) -> None:
    with pytest.raises(InvalidRate, match="chats limits requests at once: RATE must be a number"):
        create(make_limit("concurrency"), text)
