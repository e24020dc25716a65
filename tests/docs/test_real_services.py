"""Adds the files of docs/how-to/real-services.md to a new project: its checks and tests pass."""

import re
from pathlib import Path

import pytest

from gateway.settings.loader import load_settings
from tests.docs.blocks import parse_blocks, parse_files
from tests.docs.project import ROOT
from tests.e2e.project import Project

pytestmark = pytest.mark.timeout(400)  # it installs, checks and tests a whole project

PAGE = ROOT / "docs" / "how-to" / "real-services.md"


@pytest.fixture(scope="module")
def project(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that `lockgate new` has written, with the files of the page."""
    empty = Project(tmp_path_factory.mktemp("real"), installation)
    empty.run("lockgate new acme")
    folder = empty.folder / "acme"
    for name, text in parse_files(PAGE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (tables,) = [block.text for block in parse_blocks(PAGE) if block.language == "toml"]
    settings = folder / "acme" / "lockgate.toml"
    settings.write_text(f"{settings.read_text()}\n{tables}")
    return Project(folder, installation)


def test_the_checks_and_the_tests_of_the_project_pass(project: Project) -> None:
    output = project.run("make check test")
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"\d (failed|errors?)\b|warning", output), output
    own = project.run("python -m pytest tests/test_real_services.py")
    assert re.search(r"\b1\d passed", own), own


def test_the_settings_of_the_page_are_as_described(project: Project) -> None:
    upstreams = load_settings(project.folder / "acme" / "lockgate.toml").upstreams
    assert upstreams["orders"].forward_token
    assert upstreams["orders"].headers["x-api-key"].get_secret_value() == "secret"
    assert upstreams["search"].retry.attempts == 3
