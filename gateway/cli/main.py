"""The command line: parses the arguments, runs a subcommand, returns the exit status."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from io import TextIOWrapper

from gateway.cli import check, demo, health, new, routes, serve, token
from gateway.fakes.child_process import FakesFailed
from gateway.fakes.serve_fakes import PortUnavailable
from gateway.lifespan import LifespanFailed
from gateway.route_audit import UnguardedRoute
from gateway.server.listener import AddressUnavailable
from gateway.settings.errors import InvalidSettings

SUBCOMMANDS = (serve, demo, new, check, routes, health, token)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    The exit status is 0, 1 for a failure, 2 for invalid settings or usage. Error messages go to
    standard error.
    """
    _escape_unprintable_output()
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
        print(f"lockgate: {error}", file=sys.stderr)
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


def _escape_unprintable_output() -> None:
    """Escape what the encoding of the terminal does not have, such as a name in a settings file."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _print_errors(errors: Iterable[object]) -> None:
    for error in errors:
        print(f"lockgate: {error}", file=sys.stderr)
