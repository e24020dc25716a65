"""What the verbs of the command have in common."""

import argparse
import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import uvloop

# argparse gives it no public name.
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def add_subcommand(
    verbs: Subcommands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    purpose: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a verb with its help, an example in it."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=purpose, description=purpose, epilog=f"example: {example}"
    )
    parser.set_defaults(run=run)
    return parser


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """`--config FILE`: the settings file."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a file as config/lockgate.toml"
    )


def run_on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


async def wait_for_shutdown() -> None:
    """Wait for SIGINT or SIGTERM; the next one has its usual effect again."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
