"""Chromium, and the scripts that drive it, for all tests of this folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.scripts import TIMEOUT_SECONDS
from tests.typescript.npm import UNREACHABLE

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if found is None:
        pytest.skip("Chromium is not installed: no browser was tried")
    return found


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scripts with the packages of their lock file."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: no browser was tried")
    folder = tmp_path_factory.mktemp("browser") / "scripts"
    ignore = shutil.ignore_patterns("node_modules", "__pycache__", "*.py")
    shutil.copytree(FOLDER, folder, ignore=ignore)
    installed = subprocess.run(
        ["npm", "ci", "--prefer-offline"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        pytest.skip("the registry of npm is unreachable: no browser was tried")
    assert installed.returncode == 0, installed.stderr
    return folder
