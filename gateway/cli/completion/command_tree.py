"""The subcommands of the command, with the words that a shell can complete after each."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gateway.cli.limits.limit_arguments import parse_policy


class Source(Enum):
    """Where the words for an argument come from, if it has no choices."""

    NOTHING = "nothing"
    FILES = "files"
    POLICIES = "policies"


@dataclass(frozen=True, slots=True)
class Word:
    """A word to complete, and what it means."""

    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """The values of an argument: its choices, or those of a source."""

    choices: Sequence[str]
    source: Source


@dataclass(frozen=True, slots=True)
class Option:
    """An option; `value` is None if it is a switch."""

    word: Word
    value: Value | None


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: the words that name it, its options, and its positional arguments in order.

    A subcommand with subcommands of its own has those as `subcommands`.
    """

    path: tuple[str, ...]
    subcommands: Sequence[Word]
    options: Sequence[Option]
    places: Sequence[Value]


def list_commands(parser: argparse.ArgumentParser) -> list[Command]:
    """Return the command itself, with an empty path, and all its subcommands."""
    return list(_iter_commands(parser, ()))


def _iter_commands(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterator[Command]:
    actions = parser._actions  # noqa: SLF001 - argparse has no public way to list them
    groups = [it for it in actions if isinstance(it, argparse._SubParsersAction)]  # noqa: SLF001
    inner: dict[str, argparse.ArgumentParser] = groups[0].choices if groups else {}
    yield Command(
        path,
        [Word(name, _shorten(it.description)) for name, it in inner.items()],
        [_to_option(it) for it in actions if it.option_strings],
        [_to_value(it) for it in actions if not it.option_strings and it not in groups],
    )
    for name, subcommand in inner.items():
        yield from _iter_commands(subcommand, (*path, name))


def _to_option(action: argparse.Action) -> Option:
    has_value = action.nargs != 0
    word = Word(action.option_strings[-1], _shorten(action.help))
    return Option(word, _to_value(action) if has_value else None)


def _to_value(action: argparse.Action) -> Value:
    source = Source.NOTHING
    if action.type is Path:
        source = Source.FILES
    elif action.type is parse_policy:
        source = Source.POLICIES
    return Value([str(it) for it in action.choices or ()], source)


def _shorten(text: str | None) -> str:
    """Return the first sentence, without the characters that have a meaning in a shell."""
    first = (text or "").partition(". ")[0].partition(" (")[0].rstrip(".")
    return "".join(char for char in first if char.isalnum() or char in " ,;/.-_")
