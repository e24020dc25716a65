"""`lockgate completion`: prints what makes a shell complete the command, its options and policies.

The script of a shell is generated from the argument parser. Only the names of the policies are
asked for at a TAB, from the ops app.
"""

import argparse
from importlib import import_module

from gateway.cli.completion.bash import render_bash
from gateway.cli.completion.command_tree import list_commands
from gateway.cli.completion.fish import render_fish
from gateway.cli.completion.zsh import render_zsh
from gateway.cli.main import build_parser
from gateway.cli.subcommand import Subcommands, add_subcommand

_RENDERERS = {"bash": render_bash, "zsh": render_zsh, "fish": render_fish}


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "completion",
        run,
        purpose=(
            "Print the completion script of a shell. Save it where the shell looks for it: for "
            "bash in ~/.local/share/bash-completion/completions/lockgate, for zsh as _lockgate in "
            "a folder of $fpath, for fish in ~/.config/fish/completions/lockgate.fish."
        ),
        example="lockgate completion fish > ~/.config/fish/completions/lockgate.fish",
    )
    parser.add_argument(
        "shell",
        choices=(*_RENDERERS, "policies"),  # the scripts call it with `policies`
        metavar="bash|zsh|fish",
        help="the shell",
    )


def run(options: argparse.Namespace) -> int:
    """Print the script, or the names of the policies."""
    if options.shell == "policies":
        # It imports the client of the ops API.
        status: int = import_module("gateway.cli.limits.policy_names").run()
        return status
    print(_RENDERERS[options.shell](list_commands(build_parser())))
    return 0
