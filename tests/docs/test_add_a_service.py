"""Runs docs/how-to/add-a-service-and-a-composite.md in a copy of the project."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.docs import workspace
from tests.docs.blocks import matches, parse_blocks, parse_files
from tests.docs.project import ROOT
from tests.running_demo import Demo

PAGE = ROOT / "docs" / "how-to" / "add-a-service-and-a-composite.md"
VARIABLE = "LOCKGATE_UPSTREAMS__REVIEWS__URL"
REVIEWS = [{"author": "Ada", "stars": 5, "text": "Keeps.", "internal": "dropped"}]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with the files of the page added and nothing else changed."""
    folder = tmp_path_factory.mktemp("product")
    workspace.copy_to(folder, parse_files(PAGE))
    return folder


def get_product_page(demo: Demo, sku: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {demo.token}"}
    return httpx.get(f"{demo.url}/products/{sku}", headers=bearer, trust_env=False)


def test_two_files_add_a_service_and_a_composite(copy: Path) -> None:
    written = [name for name in parse_files(PAGE) if not name.startswith("tests/")]
    assert written == ["clients/reviews.py", "gateway/composites/product_page.py"]
    (shown,) = [block.text for block in parse_blocks(PAGE) if block.language == "json"]
    with ExitStack() as stack:
        url = stack.enter_context(workspace.serve_json(REVIEWS))
        with workspace.start_demo(
            copy, **{VARIABLE: url, "LOCKGATE_DEMO__LATENCY_MS": "0"}
        ) as demo:
            page = get_product_page(demo, "ACC-6008")
            missing = get_product_page(demo, "ACC-0000")
            anonymous = httpx.get(f"{demo.url}/products/ACC-6008", trust_env=False)
            stack.close()
            without = get_product_page(demo, "ACC-6008")
    assert page.status_code == 200
    assert page.json()["product"]["sku"] == "ACC-6008"
    assert page.json()["reviews"] == [{"author": "Ada", "stars": 5, "text": "Keeps."}]
    assert page.json()["degraded"] == []
    assert '"storefronts"' in page.headers["ratelimit"]
    assert missing.status_code == 404
    assert anonymous.status_code == 401
    assert matches(shown, without.text)


def test_a_missing_address_is_reported_with_its_variable(copy: Path) -> None:
    done = workspace.run_python(copy, "-m", "gateway.cli", "check")
    assert done.returncode == 2
    assert VARIABLE in done.stdout
    (export,) = [b.text for b in parse_blocks(PAGE) if b.section == "Set the address"]
    assert export.startswith(f"export {VARIABLE}=")


def test_the_tests_of_both_pages_pass(tmp_path: Path) -> None:
    written = parse_files(PAGE) | parse_files(PAGE.with_name("test-a-composite.md"))
    workspace.copy_to(tmp_path, written)
    done = workspace.run_python(tmp_path, "-m", "pytest", "-q", "tests")
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout


def test_the_files_of_the_page_pass_the_linter(copy: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for verb in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [*ruff, *verb, *parse_files(PAGE)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
