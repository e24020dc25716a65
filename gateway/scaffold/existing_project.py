"""Reads the project in a folder: its package, its services and its settings file."""

import tomllib
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path

from gateway.scaffold.additions import InvalidFile
from gateway.scaffold.render_code import get_folder
from gateway.settings.app_package import ENTRY_POINT_GROUP, SETTINGS_FILE

_ENTRY_POINTS = ("project", "entry-points", ENTRY_POINT_GROUP)
_TABLE = ".".join(_ENTRY_POINTS)


class NoProject(Exception):
    """The current folder holds no project, or the project lacks what an addition needs."""


def find_package(folder: Path) -> str:
    """Read the package of the project in `folder` from the entry point in its pyproject.toml.

    Raises:
        InvalidFile: pyproject.toml is not TOML in UTF-8.
        NoProject: there is no project, it has not one entry point, or that names no package below
            the folder.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        raise NoProject(
            "this folder is not a project: it has no pyproject.toml; change to the folder of a "
            "project, or create one with `lockgate new PATH`"
        )
    found: object = _read_toml(file)
    for key in _ENTRY_POINTS:
        found = found.get(key, {}) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise NoProject(f"{file}: {_TABLE} is not a table")
    packages = sorted(map(str, found.values()))
    if len(packages) != 1:
        number = f"several packages: {', '.join(packages)}" if packages else "no package"
        raise NoProject(f'{file}: [{_TABLE}] names {number}; name one, such as acme = "acme"')
    _check_package(folder, packages[0])
    return packages[0]


def read_settings_file(folder: Path, package: str) -> str:
    """Return the text of the package's settings file, which may not exist.

    Raises:
        InvalidFile: it is not text in UTF-8.
    """
    file = folder / get_folder(package) / SETTINGS_FILE
    return _read_text(file) if file.exists() else ""


def list_services(folder: Path, package: str) -> list[str]:
    """List the services that have a module in `clients`."""
    files = sorted((folder / get_folder(package) / "clients").glob("*.py"))
    return [file.stem for file in files if not file.stem.startswith("_")]


def require_services(folder: Path, package: str, services: Sequence[str]) -> None:
    """Check that the package has these services, at least one, and each is named once.

    Raises:
        NoProject: it has not.
    """
    known = list_services(folder, package)
    if not services:
        raise NoProject("the package has no service; add one with `lockgate new service NAME`")
    if missing := [name for name in services if name not in known]:
        raise NoProject(
            f"there is no {get_folder(package)}/clients/{missing[0]}.py; "
            f"services of the package: {', '.join(known) or 'none'}"
        )
    if repeated := [name for name in services if services.count(name) > 1]:
        raise NoProject(f"the service {repeated[0]} is named twice")


def _check_package(folder: Path, package: str) -> None:
    """Check that a package is a folder below `folder`: its name may be `../another`."""
    source = f"the package that [{_TABLE}] of pyproject.toml names"
    if not all(step.isidentifier() and not iskeyword(step) for step in package.split(".")):
        raise NoProject(f"{source} must have a name such as acme or acme.gateway; got {package!r}")
    path = folder / get_folder(package)
    if not path.is_dir():
        raise NoProject(f"{source} is {package}, but there is no folder {path}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise NoProject(f"{source} is {package}, but {path} leads to {path.resolve()}")


def _read_toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_read_text(file))
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{file} is not TOML: {error}") from None


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidFile(f"{file} is not text in UTF-8") from None
