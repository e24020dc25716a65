"""The `lockgate` command: help, and errors that every subcommand reports."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from gateway.cli.main import SUBCOMMANDS, main


@pytest.mark.parametrize(
    "subcommand",
    ["", *SUBCOMMANDS],
)
def test_every_subcommand_has_help_with_an_example(
    subcommand: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([*subcommand.split(), "--help"])
    assert exit_info.value.code == 0
    assert "example: lockgate" in capsys.readouterr().out


@pytest.mark.parametrize("subcommand", ["check", "serve", "demo"])
def test_a_missing_package_is_reported_with_the_path_of_the_setting(
    subcommand: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "no_such_package")
    arguments = [subcommand, "--any-ports"] if subcommand == "demo" else [subcommand]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    error = "there is no package called 'no_such_package'"
    path = "app.package" if subcommand == "demo" else "LOCKGATE_APP__PACKAGE"
    assert re.search(f"{path}: {error}", printed.out + printed.err)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"lockgate {version('lockgate')}\n"


def test_an_output_without_unicode_shows_escapes() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check"],
        env={**os.environ, "LOCKGATE_GR\u00d6SSE": "1", "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert 'LOCKGATE_GR\\xd6SSE: "gr\\xf6sse": no such setting' in process.stdout
    assert not process.stderr


def test_the_command_runs_as_a_module() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check", "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert json.loads(process.stdout)[0]["path"] == "issuers"


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        ("--version", {"gateway.settings", "asyncio", "pydantic"}),
        ("token --port 1", {"gateway.settings", "asyncio", "pydantic"}),
        ("health --port 1", {"fastapi", "httpx", "cryptography"}),
        ("signing-keys list --file nowhere", {"gateway.app", "redis", "uvicorn"}),
    ],
)
def test_a_subcommand_imports_only_what_it_needs(arguments: str, unneeded: set[str]) -> None:
    program = (
        "import atexit, sys\n"
        "from gateway.cli.main import main\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        f"main({arguments.split()})\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in process.stderr
    imported = set(process.stdout.split())
    assert "gateway.cli.main" in imported
    assert not imported & unneeded


def run_in_shell(
    command: str, redirection: str, unbuffered: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a subcommand with a redirection of the shell, such as `2>&-`."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -m gateway.cli {command} {redirection}', sys.executable],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["check", "health --port 1", "--version"])
def test_closed_streams_change_no_status(command: str) -> None:
    usual = run_in_shell(command, "")
    closed = run_in_shell(command, "0>&- 1>&- 2>&-")
    assert closed.returncode == usual.returncode
    half = run_in_shell(command, "1>&-")
    assert (half.returncode, half.stderr) == (usual.returncode, usual.stderr)


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [("routes", ""), ("routes", "1"), ("--version", ""), ("demo --any-ports", "")],
)
def test_an_output_that_cannot_be_written_is_a_failure(command: str, unbuffered: str) -> None:
    full = run_in_shell(command, ">/dev/full", unbuffered)
    assert full.returncode == 1
    last = full.stderr.splitlines()[-1]
    assert last == "lockgate: the output cannot be written: No space left on device"
    assert "Traceback" not in full.stderr


def test_errors_that_cannot_be_written_change_no_status() -> None:
    assert run_in_shell("serve", "2>/dev/full").returncode == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_of_the_output_that_leaves_is_no_error(unbuffered: str) -> None:
    assert not run_in_shell("routes", "| true", unbuffered).stderr
