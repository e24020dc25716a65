"""`lockgate completion`: what real shells complete. A shell that is not installed is skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli.main import SUBCOMMANDS, main

SHELLS = ("bash", "zsh", "fish")
POLICIES = {"dashboards", "partners"}

# Of each shell: its options, and the program that prints what it offers for the last word of a
# line. zsh completes only in its line editor: functions stand for the parts that the script calls.
PROGRAMS = {
    "bash": (
        ["--norc"],
        """source ./script-bash
        compopt() { :; }
        COMP_WORDS=(%(words)s) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMPREPLY=(); _lockgate; printf '%%s\\n' "${COMPREPLY[@]}"
        """,
    ),
    "zsh": (
        ["-f"],
        """compdef() { : }
        compadd() { print -l -- ${(P)2} }
        _describe() { print -l -- ${${(P)2}%%%%:*} }
        _files() { print -l -- * }
        source ./script-zsh
        words=(%(words)s) CURRENT=$#words
        _lockgate
        """,
    ),
    "fish": (
        ["--no-config"],
        """source ./script-fish
        complete -C %(line)s | string replace -r '\\t.*' ''
        """,
    ),
}

# The words offered for the last word of a line, without options unless it begins with a hyphen.
CASES = {
    "lockgate ": set(SUBCOMMANDS),
    "lockgate li": {"limits"},
    "lockgate nothing l": set[str](),
    "lockgate limits s": {"set", "shadow", "show", "simulate", "status"},
    "lockgate limits set ": POLICIES,
    "lockgate limits set d": {"dashboards"},
    "lockgate limits set --yes p": {"partners"},
    "lockgate limits set dashboards p": set[str](),
    "lockgate limits set dashboards --re": {"--reason"},
    "lockgate limits shadow partners ": {"on", "off"},
    "lockgate limits record traf": {"traffic"},
    "lockgate check --config traf": {"traffic"},
    "lockgate completion z": {"zsh"},
    "lockgate keys ": {"add", "list", "revoke"},
    "lockgate limits rollback dashboards --": {
        "--help", "--no-simulation", "--ops", "--token", "--json", "--to", "--reason", "--yes",
    },
}  # fmt: skip
# fish does not know that the value of an option is no argument.
CASES_WITHOUT_FISH = {
    "lockgate limits set --reason why d": {"dashboards"},
    "lockgate limits set --reason d": set[str](),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, and a `lockgate` that only knows the names of policies."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "traffic").touch()
    program = folder / "bin" / "lockgate"
    program.parent.mkdir()
    names = " ".join(sorted(POLICIES))
    program.write_text(f"#!/bin/sh\n[ \"$*\" = 'completion policies' ] && printf '%s\\n' {names}\n")
    program.chmod(0o755)
    return folder


def complete(folder: Path, shell: str, lines: list[str]) -> list[set[str]]:
    """Return what the shell offers for each line."""
    options, program = PROGRAMS[shell]
    parts = [
        program % {"line": f"'{line}'", "words": " ".join(f"'{it}'" for it in line.split(" "))}
        for line in lines
    ]
    process = subprocess.run(
        [shell, *options, "-c", "\necho '=='\n".join(parts)], cwd=folder, check=False, timeout=50,
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert not process.stderr
    return [set(text.split()) for text in process.stdout.split("==")]


@pytest.mark.parametrize("shell", SHELLS)
def test_lines_are_completed(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    assert main(["completion", shell]) == 0
    (folder / f"script-{shell}").write_text(capsys.readouterr().out)
    cases = CASES if shell == "fish" else CASES | CASES_WITHOUT_FISH
    for line, offered in zip(cases, complete(folder, shell, list(cases)), strict=True):
        last = line.rsplit(" ", 1)[-1]
        # zsh leaves out in its line editor what does not begin as the word does.
        found = {it for it in offered if it.startswith(last)}
        shown = found if last else {it for it in found if not it.startswith("-")}
        assert shown == cases[line], line
