"""Writes docs/reference from the code, or says which pages of it are stale.

`make docs` writes; `make check` runs it with `--check`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.docs.pages.command import command
from tests.docs.pages.errors import errors
from tests.docs.pages.limits import limits
from tests.docs.pages.openapi import openapi
from tests.docs.pages.routes import routes
from tests.docs.pages.settings import settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "command.md": command,
    "errors.md": errors,
    "limits.md": limits,
    "openapi.json": openapi,
    "routes.md": routes,
    "settings.md": settings,
}


def write(folder: Path = FOLDER) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def stale(folder: Path = FOLDER) -> Iterator[str]:
    """The pages that are not what the code says, missing ones and ones too many included."""
    for name, page in PAGES.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != page():
            yield name
    yield from sorted(file.name for file in folder.glob("*") if file.name not in PAGES)


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write, or with `--check` look; 1 if a page is stale."""
    if "--check" not in arguments:
        write(folder)
        return 0
    found = list(stale(folder))
    for name in found:
        print(f"docs/reference/{name} is stale: run `make docs` and commit it", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
