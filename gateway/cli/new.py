"""`lockgate new`: writes a package for a gateway, or adds a service or a composite to one."""

import argparse
import json
import sys
import tomllib
from pathlib import Path

from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.scaffold.additions import plan_composite, plan_service
from gateway.scaffold.names import InvalidName
from gateway.scaffold.project import PathTaken, add_to_project, create_project
from gateway.settings.app_package import ENTRY_POINT_GROUP, SETTINGS_FILE

_ADDITIONS = ("service", "composite")


class NoProject(Exception):
    """The current folder holds no project, or the project lacks what an addition needs."""


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "new",
        run,
        purpose="Create a package for a gateway of your own, or add to the one in this folder.",
        example="lockgate new acme-gateway",
    )
    parser.add_argument(
        "what",
        metavar="PATH",
        help="the folder to create; or `service` or `composite`, followed by NAME, to add one",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="the name of the service or composite to add"
    )
    parser.add_argument(
        "--service",
        action="append",
        metavar="NAME",
        help="a service of the new composite; repeat for several, the first is required",
    )
    parser.add_argument("--json", action="store_true", help="print the written files as JSON")


def run(options: argparse.Namespace) -> int:
    """Write the files and print their names. Returns 2 if nothing could be written."""
    try:
        folder, written = _write(options)
    except (InvalidName, NoProject, PathTaken) as error:
        print(f"lockgate: new: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"lockgate: new: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"folder": str(folder), "files": written}))
        return 0
    for name in written:
        print(folder / name)
    if options.name is None:
        print(f"\nNext: cd {folder} && make check test run")
    return 0


def _write(options: argparse.Namespace) -> tuple[Path, list[str]]:
    if options.name is None:
        if options.what in _ADDITIONS:
            raise NoProject(f"name the {options.what}: lockgate new {options.what} NAME")
        folder = Path(options.what)
        return folder, create_project(folder)
    if options.what not in _ADDITIONS:
        message = f"{options.what!r} cannot be added; write `service NAME` or `composite NAME`"
        raise NoProject(message)
    folder = Path()
    package = _find_package(folder)
    if options.what == "service":
        settings = folder / package / SETTINGS_FILE
        text = settings.read_text(encoding="utf-8") if settings.exists() else ""
        return folder, add_to_project(folder, plan_service(package, options.name, settings=text))
    services = options.service or _list_services(folder / package)[:1]
    _require_services(folder / package, services)
    return folder, add_to_project(folder, plan_composite(package, options.name, services))


def _find_package(folder: Path) -> str:
    """Read the package of the project in `folder` from the entry point in its pyproject.toml.

    Raises:
        NoProject: there is no project, or it has no entry point.
    """
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        project = {}
    packages = list(project.get("entry-points", {}).get(ENTRY_POINT_GROUP, {}).values())
    if len(packages) != 1 or not (folder / packages[0]).is_dir():
        raise NoProject(
            "this folder is no project: its pyproject.toml names no package in "
            f"[project.entry-points.{ENTRY_POINT_GROUP}]; change to the folder of one, or create "
            "one with `lockgate new PATH`"
        )
    return str(packages[0])


def _list_services(package: Path) -> list[str]:
    files = sorted((package / "clients").glob("*.py"))
    return [file.stem for file in files if not file.stem.startswith("_")]


def _require_services(package: Path, services: list[str]) -> None:
    known = _list_services(package)
    if not services:
        raise NoProject("the package has no service; add one with `lockgate new service NAME`")
    if missing := [name for name in services if name not in known]:
        raise NoProject(
            f"there is no {package.name}/clients/{missing[0]}.py; "
            f"services of the package: {', '.join(known) or 'none'}"
        )
