"""A copy of the example with its packages from npm, for all tests of this folder."""

import shutil
from pathlib import Path

import pytest

from tests.typescript.npm import UNREACHABLE, run_npm

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with the packages of its lock file."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the TypeScript example was not compiled")
    folder = tmp_path_factory.mktemp("typescript") / "example"
    ignore = shutil.ignore_patterns("node_modules", "__pycache__", "*.py")
    shutil.copytree(FOLDER, folder, ignore=ignore)
    installed = run_npm(folder, "ci", "--prefer-offline")
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        pytest.skip("the registry of npm is unreachable: the TypeScript example was not compiled")
    assert installed.returncode == 0, installed.stderr
    return folder
