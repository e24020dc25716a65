"""Shared by the subcommands: parser, options, event loop."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import uvloop

from gateway.background_tasks import log_loop_error

# argparse has no public name for this type.
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def add_subcommand(
    subcommands: Subcommands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    purpose: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a subcommand whose help ends with an example. Returns its parser."""
    parser: argparse.ArgumentParser = subcommands.add_parser(
        name, help=purpose, description=purpose, epilog=f"example: {example}"
    )
    parser.set_defaults(run=run)
    return parser


def add_listing(
    subcommands: Subcommands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    purpose: str,
) -> None:
    """Add a subcommand that lists what the settings and the package declare, also as JSON."""
    example = f"lockgate {name} --json"
    parser = add_subcommand(subcommands, name, run, purpose=purpose, example=example)
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--config FILE`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the settings file (TOML, like config/lockgate.toml)",
    )


def run_on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to completion on a new uvloop event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(log_loop_error)
        runner.run(main)
