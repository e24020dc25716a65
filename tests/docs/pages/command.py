"""Generates command.md, the reference of the `lockgate` command, from its argument parser.

argparse's own help text is not used: it depends on the terminal width and the Python version.
"""

import argparse
from collections.abc import Iterator, Sequence

from gateway.cli.main import build_parser
from tests.docs.pages.markdown import code, page, table

INTRODUCTION = """
The exit status is 0 on success, 1 on failure, 2 for invalid settings or arguments, and 130 after
Ctrl-C in a command that serves nothing.
`lockgate limits` also exits with 3 if a policy was changed meanwhile, and with 4 if a plan would
refuse too many requests. Every
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
    usage = " ".join([subcommand.prog, *_iter_usage(subcommand, actions)])
    rows = [(code(_format_names(action)), _format_help(subcommand, action)) for action in actions]
    options = table(("Option", "Meaning"), rows) if rows else "This subcommand has no options."
    example = subcommand.epilog or ""
    return (
        f"## {subcommand.prog}\n\n{subcommand.description}\n\n    {usage}\n\n{options}\n\n{example}"
    )


def _iter_usage(
    subcommand: argparse.ArgumentParser, actions: Sequence[argparse.Action]
) -> Iterator[str]:
    """Yield what the usage has for each argument; options that exclude each other come at once."""
    groups = {
        action: group
        for group in subcommand._mutually_exclusive_groups
        for action in group._group_actions
    }
    for action in actions:
        group = groups.get(action)
        if group is None:
            text = _format_names(action, last=True)
            yield text if action.required else f"[{text}]"
        elif action is group._group_actions[0]:
            text = " | ".join(_format_names(it, last=True) for it in group._group_actions)
            yield f"({text})" if group.required else f"[{text}]"


def _format_names(action: argparse.Action, *, last: bool = False) -> str:
    """Return an option as "--user ID", and a positional argument as "POLICY"."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return value
    names = action.option_strings[-1:] if last else action.option_strings
    return f"{', '.join(names)} {value}".strip()


def _format_help(subcommand: argparse.ArgumentParser, action: argparse.Action) -> str:
    return (action.help or "") % {**vars(action), "prog": subcommand.prog}
