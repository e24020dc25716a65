"""Generates docs/reference from the code, or reports which of its pages are stale.

`make docs` writes the pages; `make check` runs this module with `--check`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.docs.pages.clients import render_clients
from tests.docs.pages.command import render_command
from tests.docs.pages.errors import render_errors
from tests.docs.pages.limits import render_limits
from tests.docs.pages.openapi import render_openapi
from tests.docs.pages.routes import render_routes
from tests.docs.pages.settings import render_settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "clients.md": render_clients,
    "command.md": render_command,
    "errors.md": render_errors,
    "limits.md": render_limits,
    "openapi.json": render_openapi,
    "routes.md": render_routes,
    "settings.md": render_settings,
}


def write(folder: Path = FOLDER) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def find_stale(folder: Path = FOLDER) -> Iterator[str]:
    """Yield the names of stale and missing pages, and of files that no generator writes."""
    for name, page in PAGES.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != page():
            yield name
    yield from sorted(file.name for file in folder.glob("*") if file.name not in PAGES)


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the pages, or with `--check` compare them; return 1 if a page is stale."""
    if "--check" not in arguments:
        write(folder)
        return 0
    found = list(find_stale(folder))
    for name in found:
        print(f"docs/reference/{name} is stale: run `make docs` and commit it", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
