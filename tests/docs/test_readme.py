"""README and changelog say what is so."""

import re
import tomllib

from gateway.cli.main import SUBCOMMANDS
from tests.docs.blocks import blocks
from tests.docs.project import ROOT

README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_version_is_the_packages() -> None:
    assert f"Version {PROJECT['version']}," in README
    minor = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {minor} or later" in README


def test_its_verbs_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = [b.text.split()[1] for b in blocks(ROOT / "README.md") if b.text.startswith("make ")]
    assert verbs == ["run", "test"]
    assert all(re.search(rf"^{verb}:.*## ", makefile, re.MULTILINE) for verb in verbs)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_the_changelog_keeps_its_form() -> None:
    versions = re.findall(r"^## \[(.*?)\]( - \d{4}-\d{2}-\d{2})?$", CHANGELOG, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", name) and date for name, date in versions[1:])
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_the_changelog_names_every_verb_of_the_command() -> None:
    (line,) = [line for line in CHANGELOG.splitlines() if "`lockgate` command" in line]
    for subcommand in SUBCOMMANDS:
        assert f"`{subcommand.__name__.rpartition('.')[2]}`" in line
