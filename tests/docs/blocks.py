"""Parses the fenced code blocks of a Markdown page."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.\w+)`:\n\n\Z")
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    `section` is the `## ` heading above it. `file` is the path that the line before the block
    names ("`clients/reviews.py`:"), or None.
    """

    language: str
    text: str
    section: str
    file: str | None


def parse_blocks(page: Path) -> list[Block]:
    """Return the code blocks of the page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found[1],
            found[2],
            _find_section(text[: found.start()]),
            _find_file(text[: found.start()]),
        )
        for found in _FENCE.finditer(text)
    ]


def parse_files(page: Path) -> dict[str, str]:
    """Return the files that the page tells its reader to create, by path."""
    return {block.file: block.text for block in parse_blocks(page) if block.file}


def matches(shown: str, actual: str) -> bool:
    """Whether `actual` is the output that the page shows; `…` matches any text.

    Runs of whitespace, line breaks included, compare as one space.
    """
    pieces = [re.escape(" ".join(piece.split())) for piece in shown.strip().split("…")]
    return re.fullmatch(".*".join(pieces), " ".join(actual.split())) is not None


def _find_section(before: str) -> str:
    return str((_SECTION.findall(before) or [""])[-1])


def _find_file(before: str) -> str | None:
    found = _FILE.search(before)
    return found[1] if found else None
