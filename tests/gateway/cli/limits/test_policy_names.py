"""The names of the policies, for a shell that completes: it expands what it gets."""

import pytest

from gateway.cli.main import main
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.ops.memory_sources import RATES, MemoryLimits


def test_the_names_are_those_of_the_ops_app_that_a_shell_cannot_expand(ops: Ops) -> None:
    ops.monkeypatch.setitem(RATES, "a$(touch b)", "1/second")
    vars(ops.store).update(vars(MemoryLimits()))
    assert main(["completion", "policies"]) == 0
    assert ops.capsys.readouterr().out.split() == ["dashboards", "partners", "catalog"]


def test_without_an_ops_app_there_is_no_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_OPS_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("LOCKGATE_OPS_TOKEN", raising=False)
    assert main(["completion", "policies"]) == 0
    assert capsys.readouterr() == ("", "")
