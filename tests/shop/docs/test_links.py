"""Links and file names on the pages exist, and the README leads to every page."""

import re
from pathlib import Path

import pytest

from tests.docs.project import ROOT, find_pages, relative_path

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:gateway|clients|config|tests|docs)/[\w./-]+)`")
# Files that a page tells its reader to create.
CREATED = re.compile(r"`([\w./-]+\.py)`:$", re.MULTILINE)


def find_links(page: Path) -> list[str]:
    """Return the relative links of a page."""
    found = LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    return [link for link in found if "://" not in link and not link.startswith("#")]


@pytest.mark.parametrize("page", find_pages(), ids=relative_path)
def test_every_relative_link_has_a_target(page: Path) -> None:
    targets = {link: page.parent / link.partition("#")[0] for link in find_links(page)}
    assert not [link for link, target in targets.items() if not target.exists()]


@pytest.mark.parametrize("page", find_pages(), ids=relative_path)
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    names = set(FILE.findall(text)) - set(CREATED.findall(text))
    assert not [name for name in names if not (ROOT / name).exists()]


def test_every_page_is_linked_from_the_readme() -> None:
    reached, pending = set[Path](), [ROOT / "README.md"]
    while pending:
        page = pending.pop().resolve()
        if page not in reached:
            reached.add(page)
            linked = [page.parent / link.partition("#")[0] for link in find_links(page)]
            pending += [target for target in linked if target.suffix == ".md" and target.exists()]
    assert {page.resolve() for page in find_pages()} == reached
