"""The names of the policies, for a shell that completes: it expands what it gets."""

import pytest

from gateway.cli.main import main
from gateway.ops.models import LimitList
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.cli.limits.test_new_values import make_limit
from tests.gateway.cli.limits.test_ops_client import serve
from tests.gateway.ops.ops_server import POLICIES


def test_the_names_are_those_of_the_ops_app(ops: Ops) -> None:
    assert main(["completion", "policies"]) == 0
    assert ops.capsys.readouterr().out.split() == list(POLICIES)


def test_without_an_ops_app_there_is_no_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_OPS_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("LOCKGATE_OPS_TOKEN", raising=False)
    assert main(["completion", "policies"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_name_that_a_shell_would_expand_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever responds there: it may be no ops app of ours."""
    body = LimitList(limits=[make_limit(name=it) for it in ("good", "a$(touch b)", "c\nd")])
    with serve(200, "application/json", body.model_dump_json().encode()) as url:
        monkeypatch.setenv("LOCKGATE_OPS_URL", url)
        assert main(["completion", "policies"]) == 0
    assert capsys.readouterr().out == "good\n"
