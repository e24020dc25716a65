"""The command that the demo prints works as pasted, with and without an active venv."""

import sys
from pathlib import Path

import pytest

from gateway.cli.own_command import format_own_command


@pytest.mark.parametrize(
    ("program", "search_path", "folder", "command"),
    [
        (".venv/bin/lockgate", "/nowhere", "", ".venv/bin/lockgate"),
        ("{root}/.venv/bin/lockgate", "/nowhere", "", ".venv/bin/lockgate"),
        ("{root}/.venv/bin/lockgate", "{root}/.venv/bin", "", "lockgate"),
        ("lockgate", "/nowhere", ".venv/bin", "./lockgate"),
        ("{root}/.venv/bin/lockgate", "/nowhere", "a b", "'{root}/.venv/bin/lockgate'"),
        ("{root}/gateway/cli/__main__.py", "/nowhere", "", ".venv/bin/python -m gateway.cli"),
        ("{root}/gateway/cli/__main__.py", "{root}/.venv/bin", "", "python -m gateway.cli"),
    ],
)
def test_the_command_is_as_short_as_the_shell_allows(
    *,
    program: str,
    search_path: str,
    folder: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "the clone"
    for path in (root / ".venv" / "bin", root / "a b"):
        path.mkdir(parents=True)
    for name in ("lockgate", "python"):
        (root / ".venv" / "bin" / name).touch(mode=0o755)
    monkeypatch.chdir(root / folder)
    monkeypatch.setenv("PATH", search_path.format(root=root))
    monkeypatch.setattr(sys, "argv", [program.format(root=root), "demo"])
    monkeypatch.setattr(sys, "executable", str(root / ".venv" / "bin" / "python"))
    assert format_own_command() == command.format(root=root)
