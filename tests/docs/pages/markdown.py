"""What the generated pages have in common: their first lines, and tables."""

from collections.abc import Iterable, Sequence

HEADING = """\
<!-- Generated from the code by `make docs`; `make check` says when it is stale. Do not edit. -->

# {title}
"""


def page(title: str, *sections: str) -> str:
    """A whole page."""
    return "\n".join(
        [HEADING.format(title=title), *(section.strip() + "\n" for section in sections)]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code, or nothing."""
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
