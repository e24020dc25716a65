"""Shared by the subcommands: parser and options."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

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


def add_action(
    actions: Subcommands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    purpose: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add an action of a subcommand, which reads the settings and prints JSON if it is asked to."""
    action = add_subcommand(actions, name, run, purpose=purpose, example=example)
    add_config_option(action)
    action.add_argument("--json", action="store_true", help="print JSON")
    return action


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


def add_address_options(parser: argparse.ArgumentParser, section: str) -> None:
    """Add the options `--host` and `--port`, which override those of a section of the settings."""
    parser.add_argument("--host", help=f"the address to listen on (overrides {section}.host)")
    parser.add_argument("--port", help=f"the port to listen on (overrides {section}.port)")


def list_address_overrides(options: argparse.Namespace, section: str) -> dict[str, str]:
    """Return the texts of the options that `add_address_options` has added, by setting."""
    given = {f"{section}.host": options.host, f"{section}.port": options.port}
    return {path: text for path, text in given.items() if text is not None}
