"""`lockgate limits who` and `reset`: one caller, under all policies that count it."""

import json

from tests.gateway.cli.limits.conftest import Ops


def test_who_lists_the_policies_with_the_reason(ops: Ops) -> None:
    head, *rows = ops.print("who", "user:42").splitlines()
    assert head.split()[:3] == ["POLICY", "LIMITED", "REMAINING"]
    assert [row.split()[:3] for row in rows] == [
        ["dashboards", "no", "60"],
        ["partners", "no", "60"],
        ["catalog", "no", "60"],
    ]
    assert rows[0].endswith("60 of 120 requests are left.")
    found = json.loads(ops.print("who", "user:42", "--json"))
    assert found["partners"]["rules"][0]["remaining"] == 60


def test_a_kind_of_key_that_no_policy_counts(ops: Ops) -> None:
    status, _, errors = ops.run("who", "service:billing")
    assert status == 1
    assert "no policy counts service:billing; policies count per user" in errors


def test_reset_forgets_what_was_used(ops: Ops) -> None:
    output = ops.print("reset", "dashboards", "user:77", "--reason", "a loop", "--yes")
    assert output.splitlines() == [
        "user:77 under dashboards: 60 of 120 requests are left.",
        "user:77 has an unused quota under dashboards",
    ]
    assert (
        json.loads(ops.print("who", "user:77", "--json"))["dashboards"]["rules"][0]["remaining"]
        == 120
    )
    ops.answer("no\n")
    assert ops.run("reset", "partners", "user:77", "--reason", "a")[0] == 1
