"""Entries of the journal about live limits, in one line each."""

from typing import Any

import pytest

from gateway.cli.limit_entry_text import describe_entry
from gateway.storage.journal import Change

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("client.add", {"scopes": []}, ""),
    (
        "limit.change",
        {"version": 1, "from": None, "to": {"rate": "30/minute", "shadow": True}},
        "version 1: rate 30/minute, shadow true",
    ),
    (
        "limit.change",
        {"version": 2, "from": {"rate": "30/minute", "burst": 5}, "to": {"burst": 5}},
        "version 2: rate removed",
    ),
    (
        "limit.change",
        {
            "version": 3,
            "from": {"tiers": {"free": "1/day"}, "overrides": {"user:1": {"kind": "block"}}},
            "to": {
                "tiers": {"free": "2/day"},
                "overrides": {
                    "user:2": {"kind": "times", "times": 5, "until": "2030-01-01T00:00:00Z"}
                },
            },
        },
        (
            "version 3: tier free 2/day, override user:1 removed, "
            "override user:2 times 5 until 2030-01-01T00:00:00Z"
        ),
    ),
    (
        "limit.change",
        {
            "version": 4,
            "from": {},
            "to": {"overrides": {f"user:{n}": {"kind": "block"} for n in range(9)}},
        },
        (
            "version 4: override user:0 block, override user:1 block, override user:2 block, "
            "override user:3 block, 5 more"
        ),
    ),
    ("limit.change", {"version": 5, "from": "{", "to": None}, "version 5: no change"),
    ("limit.rollback", {"version": 6, "to_version": 2}, "version 6, as version 2"),
    ("limit.reset", {"key": "user:9f"}, "the counts of user:9f"),
]


@pytest.mark.parametrize(("action", "details", "text"), CASES)
def test_an_entry_says_what_it_changes(action: str, details: dict[str, Any], text: str) -> None:
    assert describe_entry(Change("jane", action, "pages", "", details)) == text
