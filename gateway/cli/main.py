"""The command line: parses the arguments, runs a subcommand, returns the exit status."""

import argparse
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from gateway.cli import (
    access,
    check,
    demo,
    explain,
    health,
    new,
    routes,
    serve,
    signing_keys,
    token,
)
from gateway.cli.standard_streams import (
    escape_unprintable_output,
    open_closed_streams,
    print_error,
    run_with_output,
)
from gateway.fakes.child_process import FakesFailed
from gateway.fakes.serve_fakes import PortUnavailable
from gateway.lifespan import LifespanFailed
from gateway.route_audit import UnguardedRoute
from gateway.server.listener import AddressUnavailable
from gateway.settings.errors import InvalidSettings

SUBCOMMANDS = (serve, demo, new, check, routes, access, explain, health, token, signing_keys)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    The exit status is 0, 1 for a failure, 2 for invalid settings or usage. Error messages go to
    standard error.
    """
    open_closed_streams()
    escape_unprintable_output()
    return run_with_output(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = build_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except InvalidSettings as invalid:
        _print_errors(invalid.errors)
        return 2
    except UnguardedRoute as unguarded:
        _print_errors(fault.as_config_error() for fault in unguarded.faults)
        return 2
    except (AddressUnavailable, FakesFailed, LifespanFailed, PortUnavailable) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:  # Ctrl-C before the signal handlers were installed
        return 130
    return status


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser with every subcommand."""
    parser = argparse.ArgumentParser(
        prog="lockgate",
        description="An async API gateway and backend-for-frontend aggregator.",
        epilog="example: lockgate demo",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('lockgate')}")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for subcommand in SUBCOMMANDS:
        subcommand.add_to(subcommands)
    return parser


def _print_errors(errors: Iterable[object]) -> None:
    for error in errors:
        print_error(error)
