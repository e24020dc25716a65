"""`lockgate limits list` and `show`; what others have written is escaped."""

import json
import re
from datetime import UTC, datetime

import pytest

from gateway.cli.limits.terminal import format_rows
from gateway.cli.main import main
from gateway.ops.models import LastChange, Override
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.cli.limits.test_new_values import make_limit
from tests.gateway.cli.limits.test_ops_client import serve


def test_the_list_has_a_row_for_each_policy(ops: Ops) -> None:
    ops.print("set", "dashboards", "5/second", "--reason", "a", "--yes", "--until", "2h")
    table, _, notes = ops.print("list").partition("\n\n")
    assert max(map(len, table.splitlines())) <= 80, "the table fits a narrow terminal"
    changed, until = notes.splitlines()
    assert changed.startswith("dashboards: changed 2")
    assert changed.endswith(" by operator (https://identity.demo.invalid): a")
    assert until.startswith("dashboards: until ")
    head, *rows = table.splitlines()
    assert head.split()[:4] == ["POLICY", "VERSION", "FROM", "LIMIT"]
    assert [row.split()[:4] for row in rows] == [
        ["dashboards", "1", "live", "5/second"],
        ["partners", "0", "code", "10/second,"],
        ["pages", "0", "code", "600/minute"],
        ["chats", "0", "code", "2"],
    ]
    assert "10/second, 100/minute, burst 5  service" in rows[1]
    assert "600/minute (shadow)" in rows[2]
    listed = json.loads(ops.print("list", "--json"))["limits"]
    assert listed[0]["live"]["rate"] == "5/second"


def test_show_has_the_value_of_each_layer(ops: Ops) -> None:
    ops.print("set", "dashboards", "60/minute", "--reason", "slow", "--yes", "--until", "2h")
    ops.print("override", "dashboards", "user:42", "--allow", "--reason", "vip", "--yes")
    output = ops.print("show", "dashboards")
    lines = output.splitlines()
    assert lines[0] == "dashboards: 60/minute, per user"
    assert lines[1] == "version 2, with the values of the live document"
    assert lines[2].endswith(" by operator (https://identity.demo.invalid): vip")
    assert lines[3].startswith("until ")
    assert re.search(r", in (2 h 0|1 h 59) min$", lines[3])
    table = [line.split() for line in lines]
    assert ["rate", "60/minute", "60/minute", "-", "120/minute"] in table
    assert ["shadow", "off", "-", "-", "off"] in table
    assert "tiers" not in output  # nothing has a value for them
    assert table[-1][1:] == ["user:42", "-", "never", "limited", "vip"]
    assert json.loads(ops.print("show", "dashboards", "--json"))["version"] == 2


def test_characters_that_a_terminal_interprets_are_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the server says: keys, reasons and names come from others."""
    text = "\u202e\u2066\x07\x1b[2J\n"
    limit = make_limit()
    limit.in_force.per = limit.in_force.without_redis = text
    limit.changed = LastChange(at=datetime.now(UTC), by=text, reason=text)
    limit.fault = text
    limit.overrides = [
        Override(
            key=f"user:{text}", caller=text, kind="rate", rate=text, limit=None, times=None,
            until=None, reason=text,
        )
    ]  # fmt: skip
    with serve(200, "application/json", limit.model_dump_json().encode()) as url:
        assert main(["limits", "show", "chats", "--ops", url]) == 0
    output = capsys.readouterr().out
    assert output.count(r"\u202e\u2066\x07\x1b[2J\n") == 9
    assert all(char.isprintable() or char == "\n" for char in output)


def test_long_texts_are_cut() -> None:
    table = format_rows(("A",), [("a" * 1_000,), ("b",)])
    assert [len(line) for line in table.splitlines()] == [1, 100, 1]
