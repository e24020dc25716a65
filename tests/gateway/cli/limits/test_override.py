"""`lockgate limits override`: one caller has another limit than the others."""

import pytest

from gateway.cli.limits.override_text import describe_override
from tests.gateway.cli.limits.conftest import Ops

OVERRIDE = ("override", "dashboards", "user:42", "--reason", "migration", "--yes")


@pytest.mark.parametrize(
    ("options", "stored", "shown"),
    [
        (["--times", "5"], {"kind": "times", "times": 5}, "5 times the limit"),
        (["--rate", "9/second"], {"kind": "rate", "rate": "9/second"}, "9/second"),
        (["--block"], {"kind": "block"}, "blocked"),
        (["--allow"], {"kind": "allow"}, "never limited"),
        (
            ["--times", "0.5", "--issuer", "https://idp.test"],
            {"kind": "times", "times": 0.5, "issuer": "https://idp.test"},
            "0.5 times the limit",
        ),
        (
            ["--block", "--until", "2099-12-04T18:00:00Z"],
            {"kind": "block", "until": "2099-12-04T18:00:00Z"},
            "blocked, until ",
        ),
    ],
)
def test_an_override_is_added_and_removed(
    ops: Ops, options: list[str], stored: dict[str, object], shown: str
) -> None:
    output = ops.print(*OVERRIDE, *options)
    row = next(line for line in output.splitlines() if line.startswith("user:42"))
    assert row.split(maxsplit=2)[1] == "-"
    assert row.split(maxsplit=2)[2].startswith(shown)
    live = ops.store.get("dashboards").live
    assert live is not None
    assert live["overrides"] == {"user:42": {**stored, "reason": "migration"}}

    output = ops.print(*OVERRIDE, "--remove")
    row = next(line for line in output.splitlines() if line.startswith("user:42"))
    assert row.split()[-1] == "-"
    assert ops.store.get("dashboards").overrides == []


def test_another_override_replaces_the_first(ops: Ops) -> None:
    ops.print(*OVERRIDE, "--times", "5", "--until", "2h")
    ops.print(*OVERRIDE, "--allow")
    [override] = ops.store.get("dashboards").overrides
    assert (override.kind, override.key, override.reason) == ("allow", "user:42", "migration")


def test_an_override_of_a_concurrency_limit_is_a_number() -> None:
    assert describe_override({"kind": "rate", "limit": 20, "rate": None}) == "20 at once"
