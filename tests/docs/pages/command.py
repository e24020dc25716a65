"""Generates command.md, the reference of the `lockgate` command, from its argument parser.

argparse's own help text is not used: it depends on the terminal width and the Python version.
"""

import argparse
from collections.abc import Iterator

from gateway.cli.main import build_parser
from tests.docs.pages.markdown import code, page, table

INTRODUCTION = """
The exit status is 0 on success, 1 on failure, and 2 for invalid settings or arguments. Every
subcommand lists its options with `--help`; `lockgate --version` prints the version.
"""


def render_command() -> str:
    """Return the text of the page."""
    return page(
        "The lockgate command",
        INTRODUCTION,
        *(_render_subcommand(subcommand) for subcommand in iter_subcommands(build_parser())),
    )


def iter_subcommands(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield every subcommand that runs something, nested ones included."""
    nested = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    if not nested:
        yield top
    for action in nested:
        for subcommand in action.choices.values():
            yield from iter_subcommands(subcommand)


def _render_subcommand(subcommand: argparse.ArgumentParser) -> str:
    actions = [a for a in subcommand._actions if not isinstance(a, argparse._HelpAction)]
    usage = " ".join([subcommand.prog, *map(_format_usage, actions)])
    rows = [(code(_format_names(action)), _format_help(subcommand, action)) for action in actions]
    options = table(("Option", "Meaning"), rows) if rows else "This subcommand has no options."
    example = subcommand.epilog or ""
    return (
        f"## {subcommand.prog}\n\n{subcommand.description}\n\n    {usage}\n\n{options}\n\n{example}"
    )


def _format_usage(action: argparse.Action) -> str:
    text = _format_names(action, last=True)
    return text if action.required else f"[{text}]"


def _format_names(action: argparse.Action, *, last: bool = False) -> str:
    """Return an option as "--user ID", and a positional argument as "POLICY"."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return value
    names = action.option_strings[-1:] if last else action.option_strings
    return f"{', '.join(names)} {value}".strip()


def _format_help(subcommand: argparse.ArgumentParser, action: argparse.Action) -> str:
    return (action.help or "") % {**vars(action), "prog": subcommand.prog}
