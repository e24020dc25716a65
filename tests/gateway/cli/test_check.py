"""`lockgate check` finds errors in the settings, and names the correct setting."""

import json
from pathlib import Path

import pytest

from gateway.cli.main import main


def test_check_prints_one_sentence_if_there_is_no_error(
    issuer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_text("{}")
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "The settings and policies are fine.\n"


@pytest.mark.parametrize(
    ("variable", "value", "path", "hint"),
    [
        ("LOCKGATE_LIMITS__DASHBORDS", "1/second", "limits.dashbords", "dashboards"),
        ("LOCKGATE_UPSTREAMS__ODERS__URL", "http://h", "upstreams.oders", "orders"),
        ("LOCKGATE_SERVER__PROT", "1", "server.prot [LOCKGATE_SERVER__PROT]", "port"),
    ],
)
def test_check_names_the_setting_and_the_nearest_correct_name(  # noqa: PLR0917
    issuer: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    path: str,
    hint: str,
) -> None:
    issuer.write_text("{}")
    monkeypatch.setenv(variable, value)
    assert main(["check", "--json"]) == 2
    (error,) = json.loads(capsys.readouterr().out)
    assert error["path"] == path
    assert error["hint"] == f"did you mean {hint}?"


def test_check_names_a_missing_key_file(issuer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert str(issuer) in capsys.readouterr().out
