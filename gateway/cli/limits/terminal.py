"""Prints tables, JSON and questions. Text of others, such as keys and reasons, is escaped."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from pydantic import BaseModel

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.standard_streams import print_error
from gateway.cli.table import format_table
from gateway.settings.errors import escape
from gateway.startup_error import StartupError

_MAX_CELL_LENGTH = 100


class NoTerminal(StartupError):
    """A change needs a confirmation, and there is no terminal to ask on."""

    exit_status = 2


def format_rows(
    head: Sequence[str], rows: Iterable[Sequence[str]], max_length: int = _MAX_CELL_LENGTH
) -> str:
    """Format a table; long cells are cut, and characters that a terminal interprets escaped."""
    cells = (tuple(_format_cell(text, max_length) for text in row) for row in rows)
    return format_table([tuple(head), *cells])


def to_json(model: BaseModel) -> dict[str, Any]:
    """Return the document of a model, as the ops app has sent it."""
    return model.model_dump(mode="json", by_alias=True)


def print_json(document: object) -> None:
    """Print one JSON document on a line."""
    print(json.dumps(document))


def choose_stream(options: argparse.Namespace) -> TextIO:
    """Return where text for people goes: with `--json`, standard output has nothing but JSON."""
    return sys.stderr if options.json else sys.stdout


def require_terminal(options: argparse.Namespace) -> None:
    """Require that `confirm` can ask.

    Raises:
        NoTerminal: it cannot, and there is no `--yes`.
    """
    if not options.yes and not sys.stdin.isatty():
        raise NoTerminal("there is no terminal to ask for a confirmation: give --yes; no change")


@contextmanager
def explain_interrupt(state: str) -> Iterator[None]:
    """Print what Ctrl-C in this block means for the change; the exit status is 130."""
    try:
        yield
    except KeyboardInterrupt:
        print(file=sys.stderr)  # after the ^C of the terminal
        print_error(f"interrupted: {state}")
        raise


@explain_interrupt("nothing is changed")
def confirm(options: argparse.Namespace, question: str) -> bool:
    """Ask whether to make a change, unless there is `--yes`."""
    if options.yes:
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def print_declined() -> ExitStatus:
    """Say that a change was not confirmed."""
    print_error("not confirmed: nothing is changed")
    return ExitStatus.FAILED


def _format_cell(text: str, max_length: int) -> str:
    shown = escape(text)
    return shown if len(shown) <= max_length else shown[: max_length - 1] + "…"
