"""The options that say who makes a change, and why, for the journal."""

import argparse
import getpass

from gateway.storage.journal import Author
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH


def add_author_options(parser: argparse.ArgumentParser) -> None:
    """Add the options `--reason` and `--actor`."""
    parser.add_argument(
        "--reason", default="", type=_parse_text, metavar="TEXT", help="why, for the journal"
    )
    parser.add_argument(
        "--actor",
        type=_parse_text,
        metavar="NAME",
        help="who, for the journal (default: the name of the user who runs the command)",
    )


def get_author(options: argparse.Namespace) -> Author:
    """Return the author that the options name."""
    return Author(options.actor or _get_user(), options.reason)


def _get_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "unknown"


def _parse_text(text: str) -> str:
    if not text.isprintable() or len(text) > MAX_TEXT_LENGTH:
        message = f"must be at most {MAX_TEXT_LENGTH} printable characters"
        raise argparse.ArgumentTypeError(message)
    return text
