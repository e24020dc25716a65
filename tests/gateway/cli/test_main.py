"""The `lockgate` command: help, exit statuses and error messages."""

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
    """Set an issuer in the environment; its key file does not exist yet."""
    keys = tmp_path / "jwks.json"
    issuers = [{"issuer": "https://idp", "audience": "lockgate", "jwks_file": str(keys)}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(issuers))
    return keys


@pytest.mark.parametrize("subcommand", ["", "serve", "demo", "check", "token"])
def test_every_subcommand_has_help_with_an_example(
    subcommand: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([*subcommand.split(), "--help"])
    assert exit_info.value.code == 0
    assert "example: lockgate" in capsys.readouterr().out


def test_serve_refuses_to_start_without_an_issuer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2
    message = capsys.readouterr().err
    assert "issuers: no identity provider is set" in message
    assert "LOCKGATE_ISSUERS" in message


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


@pytest.mark.parametrize("content", ["{}", "not json", '{"keys": []}'])
def test_serve_refuses_a_key_file_without_keys(
    issuer: Path, content: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_text(content)
    monkeypatch.setenv("LOCKGATE_SERVER__PORT", "0")
    assert main(["serve"]) == 2
    assert str(issuer) in capsys.readouterr().err


def test_serve_prints_the_errors_that_check_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBORDS", "1/second")
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    assert main(["check"]) == main(["serve"]) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [f"lockgate: {line}" for line in printed.out.splitlines()]
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize("subcommand", ["check", "serve", "demo"])
def test_a_missing_package_is_reported_with_the_path_of_the_setting(
    subcommand: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    arguments = [subcommand, "--any-ports"] if subcommand == "demo" else [subcommand]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    error = "app.package [LOCKGATE_APP__PACKAGE]: there is no package called 'no_such_package'"
    assert error in printed.out + printed.err


def test_a_port_in_use_is_reported(
    issuer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("LOCKGATE_SERVER__HOST", "127.0.0.1")
        monkeypatch.setenv("LOCKGATE_SERVER__PORT", str(port))
        assert main(["serve"]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_token_without_a_demo_suggests_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--port", "1"]) == 1
    assert "lockgate demo" in capsys.readouterr().err


def test_the_command_runs_as_a_module() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check", "--json"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert json.loads(process.stdout)[0]["path"] == "issuers"
