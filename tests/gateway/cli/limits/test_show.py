"""`lockgate limits list` and `show`; what others have written is escaped."""

import json

from tests.gateway.cli.limits.conftest import Ops


def test_the_list_has_a_row_for_each_policy(ops: Ops) -> None:
    ops.print("set", "partners", "5/second", "--reason", "a", "--yes", "--until", "2h")
    head, *rows = ops.print("list").splitlines()
    assert head.split()[:4] == ["POLICY", "VERSION", "FROM", "LIMIT"]
    assert [row.split()[:5] for row in rows] == [
        ["dashboards", "0", "code", "120/minute", "user"],
        ["partners", "1", "live", "5/second", "user"],
        ["catalog", "0", "code", "600/minute", "user"],
    ]
    listed = json.loads(ops.print("list", "--json"))["limits"]
    assert listed[1]["live"]["rate"] == "5/second"


def test_show_has_the_value_of_each_layer(ops: Ops) -> None:
    ops.print("set", "dashboards", "60/minute", "--reason", "slow", "--yes", "--until", "2h")
    ops.print("override", "dashboards", "user:42", "--allow", "--reason", "vip", "--yes")
    output = ops.print("show", "dashboards")
    lines = output.splitlines()
    assert lines[0] == "dashboards: 60/minute, per user"
    assert lines[1] == "version 2, the values in force are those of: live"
    assert lines[2].endswith(": vip")
    assert lines[3].startswith("until ")
    table = [line.split() for line in lines]
    assert ["rate", "60/minute", "60/minute", "-", "120/minute"] in table
    assert ["shadow", "off", "-", "-", "off"] in table
    assert ["user:42", "user:42", "never", "limited", "vip"] in table
    assert json.loads(ops.print("show", "dashboards", "--json"))["version"] == 2


def test_characters_that_a_terminal_interprets_are_escaped(ops: Ops) -> None:
    live = {"overrides": {"user:\x1b[31m": {"kind": "block", "reason": "\u202e\u2066\x07\nb"}}}
    ops.store._versions["dashboards"].append(live)
    output = ops.print("show", "dashboards")
    assert r"user:\x1b[31m" in output
    assert r"\u202e\u2066\x07\nb" in output
    assert all(char.isprintable() or char == "\n" for char in output)
    assert json.loads(ops.print("show", "dashboards", "--json"))["live"] == live


def test_long_texts_are_cut(ops: Ops) -> None:
    ops.print("set", "dashboards", "60/minute", "--reason", "a" * 1_000, "--yes")
    assert max(map(len, ops.print("history", "dashboards").splitlines())) < 300
