"""Runs the tests of docs/how-to/test-a-composite.md in a copy of the project."""

from pathlib import Path

from tests.docs.blocks import parse_files
from tests.docs.project import ROOT, run_python
from tests.shop.docs import workspace

PAGE = ROOT / "docs" / "how-to" / "test-a-composite.md"


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    workspace.copy_to(tmp_path, parse_files(PAGE))
    done = run_python(tmp_path, "-m", "pytest", "-q", "tests")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
