"""The command: help, exit statuses, and mistakes said where one looks."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An issuer in the environment, its key file not there yet."""
    keys = tmp_path / "jwks.json"
    named = [{"issuer": "https://idp", "audience": "lockgate", "jwks_file": str(keys)}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(named))
    return keys


@pytest.mark.parametrize("verb", ["", "serve", "demo", "check", "token"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*verb.split(), "--help"])
    assert left.value.code == 0
    assert "example: lockgate" in capsys.readouterr().out


def test_serve_refuses_to_start_without_an_issuer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert "issuers: no identity provider" in said
    assert "LOCKGATE_ISSUERS" in said


def test_check_says_that_all_is_fine(issuer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issuer.write_text("{}")
    assert main(["check"]) == 0
    assert "fine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variable", "value", "path", "hint"),
    [
        ("LOCKGATE_LIMITS__DASHBORDS", "1/second", "limits.dashbords", "dashboards"),
        ("LOCKGATE_UPSTREAMS__ODERS__URL", "http://h", "upstreams.oders", "orders"),
        ("LOCKGATE_SERVER__PROT", "1", "server.prot [LOCKGATE_SERVER__PROT]", "port"),
    ],
)
def test_check_names_what_is_wrong_and_what_would_be_right(  # noqa: PLR0917
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
    (mistake,) = json.loads(capsys.readouterr().out)
    assert mistake["path"] == path
    assert mistake["hint"] == f"did you mean {hint}?"


def test_check_names_a_key_file_that_is_not_there(
    issuer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 2
    assert str(issuer) in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{}", "not json", '{"keys": []}'])
def test_serve_refuses_a_key_file_without_keys(
    issuer: Path, content: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_text(content)
    monkeypatch.setenv("LOCKGATE_SERVER__PORT", "0")
    assert main(["serve"]) == 2
    assert str(issuer) in capsys.readouterr().err


def test_a_port_in_use_is_named(
    issuer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    issuer.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("LOCKGATE_SERVER__HOST", "127.0.0.1")
        monkeypatch.setenv("LOCKGATE_SERVER__PORT", str(port))
        assert main(["serve"]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_token_without_a_demo_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--port", "1"]) == 1
    assert "lockgate demo" in capsys.readouterr().err


def test_the_command_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check", "--json"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert json.loads(done.stdout)[0]["path"] == "issuers"
