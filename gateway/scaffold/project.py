"""Writes a new project: a package with one service and one composite, its tests and its image."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from gateway.scaffold.additions import Addition, plan_composite, plan_service
from gateway.scaffold.names import name_package, name_project
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
        "project", {"project": name_project(name), "package": package}, {"package": package}
    )
    for addition in (
        plan_service(package, FIRST_SERVICE, settings=written[f"{package}/lockgate.toml"]),
        plan_composite(package, FIRST_COMPOSITE, [FIRST_SERVICE]),
    ):
        written |= addition.files
    write_files(folder, written)
    return sorted(written)


def add_to_project(folder: Path, addition: Addition) -> list[str]:
    """Write the files of an addition, and return their relative paths.

    Raises:
        PathTaken: one of the new files exists, or a file would be written outside of the folder.
    """
    for name in addition.files:
        _refuse_obstacle(folder, name, is_new=name in addition.new_files)
    write_files(folder, addition.files)
    return sorted(addition.files)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files, given by relative path, and the folders that they need.

    If one cannot be written, an OSError is raised, and the folder is as it was before.
    """
    created: list[Path] = []
    # A file that exists is replaced after all new files have been written.
    names = sorted(files, key=lambda name: (folder / name).exists())
    try:
        for name in names:
            _create_folders((folder / name).parent, created)
            _write_file((folder / name).resolve(), files[name], created)
    except OSError:
        for path in reversed(created):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        raise


def format_code(folder: Path, names: Iterable[str]) -> bool:
    """Format Python files with ruff, if it is installed: long names need other line breaks.

    Returns False if ruff fails.
    """
    code = [name for name in names if name.endswith(".py")]
    if find_spec("ruff") is None:
        return True
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            # With -P, Python imports nothing from the folder, which may be anyone's.
            [sys.executable, "-P", "-m", "ruff", *command, "--no-cache", "--quiet", *code],
            cwd=folder,
            check=False,
        )
        if done.returncode:
            return False
    return True


def _refuse_obstacle(folder: Path, name: str, *, is_new: bool) -> None:
    path = folder / name
    if is_new and os.path.lexists(path):
        raise PathTaken(f"{path} exists")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PathTaken(f"{path} leads out of the folder, to {path.resolve()}")
    if not is_new and path.exists() and not path.is_file():
        raise PathTaken(f"{path} is not a file")
    for parent in path.parents:
        if os.path.lexists(parent) and not parent.is_dir():
            raise PathTaken(f"{parent} is not a folder")


def _create_folders(folder: Path, created: list[Path]) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        created.append(path)


def _write_file(path: Path, text: str, created: list[Path]) -> None:
    """Write a file; one that exists is replaced as a whole or not at all."""
    if not path.exists():
        created.append(path)
        path.write_text(text, encoding="utf-8")
        return
    copy = path.with_name(f"{path.name}.new")
    created.append(copy)
    copy.write_text(text, encoding="utf-8")
    copy.chmod(path.stat().st_mode)
    copy.replace(path)
    created.remove(copy)
