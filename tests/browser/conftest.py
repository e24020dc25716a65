"""Chromium, and the scripts that drive it, for all tests of this folder."""

from pathlib import Path

import pytest

from tests.browser.scripts import NotAvailable, copy_scripts, find_chromium


@pytest.fixture(scope="session")
def chromium() -> str:
    try:
        return find_chromium()
    except NotAvailable as error:
        pytest.skip(f"{error}: no browser was tried")


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scripts with the packages of their lock file."""
    try:
        return copy_scripts(tmp_path_factory.mktemp("browser") / "scripts")
    except NotAvailable as error:
        pytest.skip(f"{error}: no browser was tried")
