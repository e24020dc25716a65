"""`lockgate limits history` and `rollback`: an earlier version is in force again."""

import json

from tests.gateway.cli.limits.conftest import Ops

ROLLBACK = ("rollback", "dashboards", "--reason", "well again", "--yes")


def change(ops: Ops, *rates: str) -> None:
    for rate in rates:
        ops.print("set", "dashboards", rate, "--reason", f"to {rate}", "--yes")


def test_the_version_before_is_the_default(ops: Ops) -> None:
    change(ops, "60/minute", "30/minute")
    output = ops.print(*ROLLBACK)
    assert ["rate", "30/minute", "60/minute"] in [it.split() for it in output.splitlines()]
    assert output.endswith("dashboards is at version 3: 60/minute\n")
    assert ops.get().live == {"rate": "60/minute"}
    assert ops.print(*ROLLBACK).endswith("dashboards is at version 4: 30/minute\n")


def test_a_version_can_be_named_and_0_is_the_code(ops: Ops) -> None:
    change(ops, "60/minute", "30/minute", "10/minute")
    output = ops.print(*ROLLBACK, "--to", "1")
    assert output.endswith("dashboards is at version 4: 60/minute\n")
    output = ops.print(*ROLLBACK, "--to", "0")
    assert ["rate", "60/minute", "120/minute"] in [it.split() for it in output.splitlines()]
    assert ops.get().in_force.rate == "120/minute"


def test_there_must_be_such_a_version(ops: Ops) -> None:
    status, _, errors = ops.run(*ROLLBACK)
    assert status == 1
    assert "dashboards has never been changed" in errors
    change(ops, "60/minute")
    status, _, errors = ops.run(*ROLLBACK, "--to", "7")
    assert status == 1
    assert "has no version 7; `lockgate limits history dashboards` lists the versions" in errors
    assert ops.get().version == 1


def test_the_history_has_the_changes_the_newest_first(ops: Ops) -> None:
    change(ops, "60/minute", "30/minute")
    ops.print(*ROLLBACK)
    third, former, coming, *second = ops.print("history", "dashboards", "--limit", "2").splitlines()
    assert third.startswith("3, version 3: 2")
    assert " limit.rollback by operator (https://identity.demo.invalid): well again" in third
    assert former.split() == ["from", "rate", "30/minute"]
    assert coming.split() == ["to", "rate", "60/minute"]
    assert second[0].startswith("2, version 2: 2")
    assert len(second) == 3
    ops.print(*ROLLBACK, "--to", "0")
    last = ops.print("history", "dashboards", "--limit", "1").splitlines()[-1]
    assert last == "    to    no live values"
    first = json.loads(ops.print("history", "dashboards", "--before", "2", "--json"))["entries"]
    assert [(it["seq"], it["from"], it["to"]) for it in first] == [(1, None, {"rate": "60/minute"})]
