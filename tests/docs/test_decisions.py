"""Every decision page has the same headings and names what enforces it, and that is there."""

import ast
import re
from pathlib import Path

import pytest

from gateway.settings.schema import ALGORITHMS
from tests.architecture.sources import PACKAGES, list_python_files, parse_file
from tests.docs.project import ROOT, shown

PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))

HEADINGS = ["Context", "Decision", "Consequences", "Alternatives considered", "Enforced by"]
PATH = re.compile(r"`((?:tests|gateway|clients|config|docs)/[\w./-]+|[\w-]+\.(?:toml|lock|md))`")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_has_its_headings_and_is_one_page(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 80


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_path_it_names_exists(page: Path) -> None:
    named = PATH.findall(page.read_text())
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_test_or_a_contract_enforces_it(page: Path) -> None:
    enforced = page.read_text().partition("## Enforced by")[2]
    assert any(path.startswith("tests/") for path in PATH.findall(enforced))
    for contract in re.findall(r'contract "([\w-]+)"', enforced):
        assert f'id = "{contract}"' in (ROOT / "pyproject.toml").read_text()


def test_no_module_has_python_jose_read_a_token() -> None:
    """docs/decisions/python-jose.md: only keys are used; the demo's issuer alone may sign."""
    for file in list_python_files(*PACKAGES):
        for node in ast.walk(parse_file(file)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jose"):
                names = {alias.name for alias in node.names}
                allowed = {"jwk", "Key"} | ({"jwt"} if "demo" in file.parts else set())
                assert names <= allowed, shown(file)
            if isinstance(node, ast.Import):
                assert not [a for a in node.names if a.name.split(".")[0] == "jose"], shown(file)


def test_hmac_is_no_algorithm() -> None:
    assert all(re.fullmatch(r"(RS|PS|ES)\d{3}|EdDSA", name) for name in ALGORITHMS)
