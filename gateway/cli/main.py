"""The command line: parses the arguments, runs a subcommand, returns the exit status.

Importing the whole gateway takes most of a second, and `health`, `token` and others do not need it.
So only the module of the given subcommand is imported.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from gateway.cli.standard_streams import (
    escape_unprintable_output,
    open_closed_streams,
    print_error,
    run_with_output,
)
from gateway.startup_error import StartupError

SUBCOMMANDS = (
    "serve",
    "ops",
    "demo",
    "new",
    "check",
    "routes",
    "access",
    "explain",
    "health",
    "token",
    "signing-keys",
    "key-file",
    "db",
    "journal",
    "revoke",
    "keys",
    "clients",
    "limits",
    "completion",
)
"""The subcommands in the order of the help; each is the module of this name."""


# A JWT, or what the gateway itself issues: the secret of a client, an API key.
_CREDENTIAL = re.compile(r"[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bl(?:gs|k)_[\w-]{8,}")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors do not repeat a token, which belongs into standard input."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit."""
        super().error(_CREDENTIAL.sub("(a token)", message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    The exit status is 0, 1 for a failure, 2 for invalid settings or usage. Error messages go to
    standard error.
    """
    open_closed_streams()
    escape_unprintable_output()
    given = sys.argv[1:] if arguments is None else arguments
    return run_with_output(lambda: _run(given))


def _run(arguments: Sequence[str]) -> int:
    options = build_parser(_choose_subcommands(arguments)).parse_args(arguments)
    try:
        status: int = options.run(options)
    except StartupError as error:
        for message in error.list_messages():
            print_error(message)
        return error.exit_status
    except KeyboardInterrupt:  # Ctrl-C before the signal handlers were installed
        return 130
    return status


def _choose_subcommands(arguments: Sequence[str]) -> Sequence[str]:
    """Return the given subcommand, or all if none is given, so that the help lists them."""
    first = arguments[0] if arguments else ""
    if first == "--version":
        return ()
    return (first,) if first in SUBCOMMANDS else SUBCOMMANDS


def build_parser(names: Sequence[str] = SUBCOMMANDS) -> argparse.ArgumentParser:
    """Build the argument parser with these subcommands, whose modules it imports."""
    parser = _Parser(
        prog="lockgate",
        description="An async API gateway and backend-for-frontend aggregator.",
        epilog="example: lockgate demo",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('lockgate')}")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in names:
        import_module(f"gateway.cli.{name.replace('-', '_')}").add_to(subcommands)
    return parser
