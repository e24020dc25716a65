"""`lockgate limits top` and `watch`: the requests under each policy, now and live."""

import json
import re
import sys

import pytest

from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsUnreachable
from gateway.ops.models import LimitList
from tests.gateway.cli.limits.conftest import Ops


def test_top_lists_the_callers(ops: Ops) -> None:
    output = ops.print("top", "dashboards", "--seconds", "10")
    assert output.splitlines()[1].split() == ["user:9f2c", "user", "42", "900", "12"]
    assert output.splitlines()[2].startswith("In all, in 10 s: 155 allowed, 20 refused, 0 would")
    usage = json.loads(ops.print("top", "dashboards", "--json"))
    assert len(usage["allowed"]) == 300


def test_watch_prints_plain_lines_without_a_terminal(ops: Ops) -> None:
    lines = ops.print("watch", "--count", "2").splitlines()
    assert len(lines) == 6
    assert re.fullmatch(
        r"\S+Z dashboards version=0 allowed=20\.5 refused=1\.2 shadow_refused=0\.0"
        r" limit=120/minute",
        lines[0],
    )
    assert "\x1b" not in "".join(lines)
    document = json.loads(ops.print("watch", "--count", "1", "--json"))
    assert document["versions"] == {"dashboards": 0, "partners": 0, "catalog": 0}
    assert document["policies"]["partners"]["allowed"] == 20.5


def test_watch_redraws_a_terminal(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    output = ops.print("watch", "--count", "1")
    assert output.startswith("\x1b[H\x1b[2J")
    assert "processes heard: gateway-1 (0 s ago)" in output
    assert "\x1b" not in output[len("\x1b[H\x1b[2J") :]


def test_watch_outlives_a_reading_without_a_response(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: OpsClient) -> LimitList:
        monkeypatch.undo()
        raise OpsUnreachable("no ops app can be reached")

    monkeypatch.setattr(OpsClient, "list_limits", fail)
    status, output, errors = ops.run("watch", "--count", "2")
    assert status == 0
    assert len(output.splitlines()) == 3
    assert errors.endswith("no ops app can be reached\n")


def test_watch_ends_if_the_token_is_refused(ops: Ops) -> None:
    status, _, errors = ops.run("watch", "--token", "a.b.c")
    assert status == 1
    assert "does not accept the token" in errors
