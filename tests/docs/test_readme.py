"""README and changelog agree with the project."""

import re
import tomllib

from gateway.cli.main import SUBCOMMANDS
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT

README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_versions_are_those_of_the_project() -> None:
    assert f"Version {PROJECT['version']}," in README
    minor = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {minor} or later" in README


def test_its_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [
        b.text.split()[1] for b in parse_blocks(ROOT / "README.md") if b.text.startswith("make ")
    ]
    assert targets == ["run", "test"]
    assert all(re.search(rf"^{target}:.*## ", makefile, re.MULTILINE) for target in targets)


def test_it_fits_in_120_lines() -> None:
    assert len(README.splitlines()) <= 120


def test_the_changelog_has_the_format_of_keep_a_changelog() -> None:
    versions = re.findall(r"^## \[(.*?)\]( - \d{4}-\d{2}-\d{2})?$", CHANGELOG, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", name) and date for name, date in versions[1:])
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_the_changelog_names_every_subcommand() -> None:
    (line,) = [line for line in CHANGELOG.splitlines() if "`lockgate` command" in line]
    for name in SUBCOMMANDS:
        assert f"`{name}`" in line
