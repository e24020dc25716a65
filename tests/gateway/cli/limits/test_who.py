"""`lockgate limits who` and `reset`: one caller, under all policies that count it."""

import json

from tests.gateway.cli.limits.conftest import Ops


def test_who_says_where_the_caller_is_limited_and_why(ops: Ops) -> None:
    ops.send_requests("42", 121)
    head, row, held, _, reason, _ = ops.print("who", "user:42").splitlines()
    assert head.split()[:3] == ["POLICY", "LIMITED", "REMAINING"]
    assert row.split()[:7] == ["dashboards", "yes", "0", "120", "in", "60", "s"]
    assert held.split()[:6] == ["chats", "no", "2", "2", "at", "once"]
    assert reason.startswith("dashboards: Over the limit: 0 of 120 requests in 60 s are left")
    assert max(map(len, (head, row, held))) <= 60, "the table fits a narrow terminal"
    found = json.loads(ops.print("who", "user:7", "--json"))
    assert found["dashboards"]["limited"] is False
    assert found["dashboards"]["rules"][0]["remaining"] == 120


def test_a_caller_that_is_counted_by_its_subject_is_looked_up_everywhere(ops: Ops) -> None:
    _, *rows = ops.print("who", "subject:42").partition("\n\n")[0].splitlines()
    assert [row.split()[0] for row in rows] == ["dashboards", "partners", "chats"]


def test_a_kind_of_key_that_no_policy_counts(ops: Ops) -> None:
    status, _, errors = ops.run("who", "tenant:acme")
    assert status == 1
    assert "no policy counts tenant:acme; policies count per address, service, user" in errors


def test_a_policy_in_shadow_limits_no_caller(ops: Ops) -> None:
    ops.print("shadow", "dashboards", "on", "--reason", "new", "--yes")
    ops.send_requests("42", 121)
    _, row, _, _, reason, _ = ops.print("who", "user:42").splitlines()
    assert row.split()[:8] == ["dashboards", "no", "0", "120", "in", "60", "s", "-"]
    assert "Over the limit, which is in shadow: 0 of 120 requests in 60 s are left" in reason
    assert reason.endswith("The policy is in shadow: it refuses no request.")


def test_who_says_what_the_override_of_the_caller_is(ops: Ops) -> None:
    override = ("override", "dashboards", "user:42", "--times", "5", "--until", "2h")
    ops.print(*override, "--reason", "migration", "--yes")
    reason = ops.print("who", "user:42").splitlines()[4]
    assert "An override is in force until " in reason
    assert ": migration. 5 times the limit, until " in reason


def test_reset_forgets_what_was_used(ops: Ops) -> None:
    ops.send_requests("77", 121)
    reset = ("reset", "dashboards", "user:77", "--reason", "a loop")
    ops.type_line("no\n")
    assert ops.run(*reset)[0] == 1
    assert ops.send_requests("77", 1) == 0
    first, second = ops.print(*reset, "--yes").splitlines()
    assert "under dashboards: Over the limit" in first
    assert second == "user:77 has an unused quota under dashboards"
    assert ops.send_requests("77", 1) == 1
    assert "limit.reset" in ops.print("history", "dashboards")
