"""command.md: the `lockgate` command, read off its parser.

Not argparse's own help text: that differs with the width of the terminal and from one Python
to the next.
"""

import argparse
from collections.abc import Iterator

from gateway.cli.main import build_parser
from tests.docs.pages.markdown import code, page, table

INTRODUCTION = """
The exit status is 0, 1 for a failure, 2 for settings or usage that are wrong. Every verb tells
its options with `--help`.
"""


def command() -> str:
    """The page."""
    return page(
        "The lockgate command", INTRODUCTION, *(_verb(verb) for verb in verbs(build_parser()))
    )


def verbs(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every verb that runs something, those of a verb with verbs of its own included."""
    inner = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield top
    for action in inner:
        for verb in action.choices.values():
            yield from verbs(verb)


def _verb(verb: argparse.ArgumentParser) -> str:
    actions = [a for a in verb._actions if not isinstance(a, argparse._HelpAction)]
    usage = " ".join([verb.prog, *map(_usage, actions)])
    rows = [(code(_written(action)), _help(verb, action)) for action in actions]
    options = table(("Option", "Meaning"), rows) if rows else "It takes no options."
    return (
        f"## {verb.prog}\n\n{verb.description}\n\n    {usage}\n\n{options}\n\n{verb.epilog or ''}"
    )


def _usage(action: argparse.Action) -> str:
    written = _written(action, last=True)
    return written if action.required else f"[{written}]"


def _written(action: argparse.Action, *, last: bool = False) -> str:
    """As one writes it: "--user ID", or "POLICY" for an argument by its place."""
    takes = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return takes
    names = action.option_strings[-1:] if last else action.option_strings
    return f"{', '.join(names)} {takes}".strip()


def _help(verb: argparse.ArgumentParser, action: argparse.Action) -> str:
    return (action.help or "") % {**vars(action), "prog": verb.prog}
