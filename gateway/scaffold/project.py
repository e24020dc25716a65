"""Writes a new project: a package with one service and one composite, its tests and its image."""

import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from gateway.scaffold.additions import Addition, plan_composite, plan_service
from gateway.scaffold.names import name_package
from gateway.scaffold.template_files import render_templates

FIRST_SERVICE = "messages"
FIRST_COMPOSITE = "inbox"


class PathTaken(Exception):
    """A file or folder is in the way. Nothing was written."""


def create_project(folder: Path) -> list[str]:
    """Write the files of a project into `folder`, and return their relative paths.

    Raises:
        InvalidName: the name of the folder cannot be the name of a package.
        PathTaken: the folder exists and is not empty, or is a file.
    """
    name = folder.resolve().name
    package = name_package(name)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise PathTaken(f"{folder} exists and is not an empty folder")
    written = render_templates(
        "project", {"project": name, "package": package}, {"package": package}
    )
    for addition in (
        plan_service(package, FIRST_SERVICE, settings=written[f"{package}/lockgate.toml"]),
        plan_composite(package, FIRST_COMPOSITE, [FIRST_SERVICE]),
    ):
        written |= addition.files
    write_files(folder, written)
    format_code(folder, written)
    return sorted(written)


def add_to_project(folder: Path, addition: Addition) -> list[str]:
    """Write the files of an addition, and return their relative paths.

    Raises:
        PathTaken: one of the new files exists.
    """
    for name in addition.new_files:
        if (folder / name).exists():
            raise PathTaken(f"{folder / name} exists")
    write_files(folder, addition.files)
    format_code(folder, addition.files)
    return sorted(addition.files)


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write text files, given by relative path, and the folders that they need."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def format_code(folder: Path, names: Iterable[str]) -> None:
    """Format Python files with ruff, if it is installed: long names need other line breaks."""
    code = [name for name in names if name.endswith(".py")]
    if find_spec("ruff") is not None:
        for command in (["check", "--select", "I", "--fix"], ["format"]):
            subprocess.run(  # noqa: S603 - the arguments are ours
                [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", *code],
                cwd=folder,
                check=False,
            )
