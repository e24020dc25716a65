"""Which counts go on after a change of the windows, the algorithm, a tier or one override."""

from typing import Any

import pytest

from gateway.cli.limits.counts import describe_counts
from tests.gateway.cli.limits.test_new_values import make_limit

GO_ON = "Counts go on: each caller keeps what it has used."
RESTART = "Counts restart: each caller begins with an unused quota."


def describe_override(**values: Any) -> dict[str, Any]:
    return {"overrides": {"user:9f": {"caller": "user:42", **values}}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"rate": "9/second"}, GO_ON),
        ({"rate": "9/minute"}, RESTART),
        ({"burst": 5}, RESTART),
        ({"shadow": True}, GO_ON),
        ({"tiers": {"pro": "9/second"}}, GO_ON),
        (
            {"tiers": {"pro": "9/minute"}},
            "The counts of the tier pro alone restart, with an unused quota.",
        ),
        (
            describe_override(kind="rate", rate="9/minute"),
            "The counts of user:42 alone restart, with an unused quota.",
        ),
        (describe_override(kind="rate", rate="9/second"), GO_ON),
        (describe_override(kind="times", times=5), GO_ON),
        (describe_override(kind="block"), GO_ON),
    ],
)
def test_counts_restart_with_another_window_or_algorithm(
    document: dict[str, Any], expected: str
) -> None:
    assert describe_counts(make_limit(pro="5/second"), document) == expected


def test_leases_are_held_on() -> None:
    assert describe_counts(make_limit("concurrency"), {"limit": 9}) == GO_ON
