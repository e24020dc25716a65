"""`lockgate limits status`: Redis, the database, providers, services and processes."""

import json

import pytest

from gateway.cli.main import main
from gateway.fakes.identity_endpoints import ISSUER
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.cli.limits.test_ops_client import serve


def test_each_part_has_a_row(ops: Ops) -> None:
    ops.send_requests("42", 3)
    head, *rows = [line.split() for line in ops.print("status").splitlines()]
    assert head == ["PART", "NAME", "STATE"]
    parts = [row[0] for row in rows]
    assert list(dict.fromkeys(parts)) == [
        "redis", "database", "provider", "service", "process", "recording",
    ]  # fmt: skip
    assert ["database", "-", "ok"] in [row[:3] for row in rows]
    assert ISSUER in [row[1] for row in rows]
    [process] = [row for row in rows if row[0] == "process"]
    assert process[2:4] == ["seen", "0"]
    assert rows[-1][2:4] == ["3", "requests"]
    document = json.loads(ops.print("status", "--json"))
    assert document["providers"][0]["issuer"] == ISSUER
    assert document["recording"]["requests"] == 3


def test_what_is_down_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    """As an ops app says it that has lost Redis, and with it the gateway processes."""
    status: dict[str, object] = {
        "redis": {"status": "degraded", "redis": "down", "reason": "Timeout\x1b", "pages": "local"},
        "database": {"status": "none"}, "providers": [], "services": [], "processes": [],
        "recording": None,
    }  # fmt: skip
    with serve(200, "application/json", json.dumps(status).encode()) as url:
        assert main(["limits", "status", "--ops", url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "PART       NAME  STATE",
        r"redis      -     degraded (redis down, reason Timeout\x1b, pages local)",
        "database   -     none",
        "process    -     none is known",
        "recording  -     nothing is recorded",
    ]
