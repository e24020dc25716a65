"""Markdown elements of the generated pages: heading, table, inline code."""

from collections.abc import Iterable, Sequence

HEADING = """\
<!-- Generated from the code by `make docs`. Do not edit; `make check` reports a stale page. -->

# {title}
"""


def page(title: str, *sections: str) -> str:
    """Return a page with its heading and its sections."""
    return "\n".join(
        [HEADING.format(title=title), *(section.strip() + "\n" for section in sections)]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a `|` in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_format_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """Return the text as inline code; empty text stays empty."""
    return f"`{text}`" if text else ""


def _format_cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
