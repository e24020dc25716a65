"""Every link of every page leads somewhere, and every page can be reached."""

import re
from pathlib import Path

import pytest

from tests.docs.project import ROOT, pages, shown

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:gateway|clients|config|tests|docs)/[\w./-]+)`")
# Files that a page has its reader write.
WRITTEN = re.compile(r"`([\w./-]+\.py)`:$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """The relative links of a page."""
    found = LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    return [link for link in found if "://" not in link and not link.startswith("#")]


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in links(page) if not (page.parent / link.partition("#")[0]).exists()]
    assert not broken


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    named = set(FILE.findall(text)) - set(WRITTEN.findall(text))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, due = set[Path](), [ROOT / "README.md"]
    while due:
        page = due.pop().resolve()
        if page not in reached:
            reached.add(page)
            linked = [page.parent / link.partition("#")[0] for link in links(page)]
            due += [target for target in linked if target.suffix == ".md" and target.exists()]
    assert {page.resolve() for page in pages()} == reached
