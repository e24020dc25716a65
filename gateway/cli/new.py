"""`lockgate new`: writes a package for a gateway, or adds a service or a composite to one."""

import argparse
import json
import shlex
from pathlib import Path

from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.scaffold.additions import InvalidFile, plan_composite, plan_service
from gateway.scaffold.existing_project import (
    NoProject,
    find_package,
    list_services,
    read_settings_file,
    require_services,
)
from gateway.scaffold.names import InvalidName
from gateway.scaffold.project import PathTaken, add_to_project, create_project, format_code

_ADDITIONS = ("service", "composite")


class InvalidUsage(Exception):
    """The arguments do not belong together."""


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
    """Write the files and print their names.

    Returns 2 for a mistake in the arguments or in the project, and 1 if a file cannot be read or
    written; no file is written then.
    """
    try:
        folder, written = _write(options)
    except (InvalidFile, InvalidName, InvalidUsage, NoProject, PathTaken) as error:
        print_error(f"new: {error}")
        return 2
    except OSError as error:
        print_error(f"new: {error.filename}: {error.strerror}")
        return 1
    if not format_code(folder, written):
        print_error("new: the files are written, but ruff cannot format them")
    if options.json:
        print(json.dumps({"folder": str(folder), "files": written}))
        return 0
    for name in written:
        print(folder / name)
    if options.name is None:
        print(f"\nNext: cd {shlex.quote(str(folder))} && make check test run")
    return 0


def _write(options: argparse.Namespace) -> tuple[Path, list[str]]:
    """Write the files; return the folder, and their paths relative to it."""
    _check_usage(options)
    if options.name is None:
        folder = Path(options.what)
        return folder, create_project(folder)
    folder = Path()
    package = find_package(folder)
    if options.what == "service":
        settings = read_settings_file(folder, package)
        addition = plan_service(package, options.name, settings=settings)
    else:
        services = options.service or list_services(folder, package)[:1]
        require_services(folder, package, services)
        addition = plan_composite(package, options.name, services)
    return folder, add_to_project(folder, addition)


def _check_usage(options: argparse.Namespace) -> None:
    """Refuse arguments that have no effect together."""
    what, is_addition = options.what, options.what in _ADDITIONS
    if is_addition and options.name is None:
        hint = f"for a folder of that name, write ./{what}"
        raise InvalidUsage(f"name the {what}: lockgate new {what} NAME ({hint})")
    if not is_addition and options.name is not None:
        hint = "write `service NAME` or `composite NAME`, or PATH alone for a new folder"
        raise InvalidUsage(f"{what!r} cannot be added; {hint}")
    if options.service and what != "composite":
        raise InvalidUsage("--service is an option of `lockgate new composite NAME` only")
