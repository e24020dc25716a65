"""The command line: parses the arguments, runs a subcommand, returns the exit status."""

import argparse
import sys
from collections.abc import Sequence

from gateway.cli import check, demo, new, serve, token
from gateway.fakes.serve_fakes import PortUnavailable
from gateway.server.lifecycle import AddressUnavailable
from gateway.settings.errors import InvalidSettings

SUBCOMMANDS = (serve, demo, new, check, token)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    The exit status is 0, 1 for a failure, 2 for invalid settings or usage. Error messages go to
    standard error.
    """
    options = build_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except InvalidSettings as invalid:
        for error in invalid.errors:
            print(f"lockgate: {error}", file=sys.stderr)
        return 2
    except (AddressUnavailable, PortUnavailable) as error:
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
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for subcommand in SUBCOMMANDS:
        subcommand.add_to(subcommands)
    return parser
