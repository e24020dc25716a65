"""Every decision page has the same headings, and the tests and contracts it names exist."""

import ast
import re
from pathlib import Path

import pytest

from gateway.settings.schema import ALGORITHMS
from tests.architecture.sources import PACKAGES, list_python_files, parse_file
from tests.docs.project import ROOT, relative_path

PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))

CONTRACTS = (ROOT / "pyproject.toml").read_text()
SHOP_CONTRACTS = ROOT / "tests" / "shop" / "importlinter.toml"

HEADINGS = ["Context", "Decision", "Consequences", "Alternatives considered", "Enforced by"]
TEST = re.compile(r"`tests/[\w./-]+`")


@pytest.mark.parametrize("page", PAGES, ids=relative_path)
def test_a_page_has_the_headings_and_is_short(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 80


@pytest.mark.parametrize("page", PAGES, ids=relative_path)
def test_a_test_or_a_contract_enforces_the_decision(page: Path) -> None:
    enforced = page.read_text().partition("## Enforced by")[2]
    assert TEST.search(enforced)
    if SHOP_CONTRACTS.is_file():  # a clone without the shop has no contracts for it
        contracts = CONTRACTS + SHOP_CONTRACTS.read_text()
        for contract in re.findall(r'contract "([\w-]+)"', enforced):
            assert f'id = "{contract}"' in contracts


def test_no_module_parses_a_token_with_python_jose() -> None:
    """docs/decisions/python-jose.md: only keys are used; only the development issuer signs."""
    for file in list_python_files(*PACKAGES):
        for node in ast.walk(parse_file(file)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jose"):
                names = {alias.name for alias in node.names}
                allowed = {"jwk", "Key"} | ({"jwt"} if "fakes" in file.parts else set())
                assert names <= allowed, relative_path(file)
            if isinstance(node, ast.Import):
                assert not [a for a in node.names if a.name.split(".")[0] == "jose"], relative_path(
                    file
                )


def test_hmac_is_not_a_supported_algorithm() -> None:
    assert all(re.fullmatch(r"(RS|PS|ES)\d{3}|EdDSA", name) for name in ALGORITHMS)
