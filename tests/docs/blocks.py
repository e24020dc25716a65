"""The code blocks of a page, in their order."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.\w+)`:\n\n\Z")
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block: its language, its text, the section it is in, and the file that it is, if one.

    The file is named in the line before it: "`clients/reviews.py`:".
    """

    language: str
    text: str
    section: str
    file: str | None


def blocks(page: Path) -> list[Block]:
    """Every block of the page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], _section(text[: found.start()]), _file(text[: found.start()]))
        for found in _FENCE.finditer(text)
    ]


def files(page: Path) -> dict[str, str]:
    """The files that the page has one write, by path."""
    return {block.file: block.text for block in blocks(page) if block.file}


def matches(shown: str, actual: str) -> bool:
    """Whether an output is what the page shows, where `…` stands for what is left out.

    Leading and trailing blanks and line ends do not count.
    """
    pieces = [re.escape(" ".join(piece.split())) for piece in shown.strip().split("…")]
    return re.fullmatch(".*".join(pieces), " ".join(actual.split())) is not None


def _section(before: str) -> str:
    return str((_SECTION.findall(before) or [""])[-1])


def _file(before: str) -> str | None:
    named = _FILE.search(before)
    return named[1] if named else None
