"""Runs docs/how-to/real-services.md: its package passes its tests, `check`, mypy, and ruff."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings.loader import load_settings
from tests.docs.blocks import parse_files
from tests.docs.project import ROOT, run_python

PAGE = ROOT / "docs" / "how-to" / "real-services.md"
UNADDRESSED = ("customers", "payments")
ENVIRONMENT = {"LOCKGATE_APP__PACKAGE": "acme"} | {
    f"LOCKGATE_UPSTREAMS__{name.upper()}__URL": f"http://{name}.internal" for name in UNADDRESSED
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package of the page and nothing else."""
    folder = tmp_path_factory.mktemp("acme")
    for name, text in parse_files(PAGE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_tests_of_the_page_pass(package: Path) -> None:
    done = run_python(
        package, "-m", "pytest", "-q", "-o", "asyncio_mode=auto",
        "-o", "asyncio_default_fixture_loop_scope=function", "acme", **ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout


def test_the_settings_of_the_page_are_valid(package: Path) -> None:
    done = run_python(package, "-m", "gateway.cli", "check", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    upstreams = load_settings(package / "acme" / "lockgate.toml").upstreams
    assert upstreams["orders"].forward_token
    assert upstreams["search"].retry.attempts == 3


def test_the_files_of_the_page_pass_the_linter(package: Path) -> None:
    files = [name for name in parse_files(PAGE) if name.endswith(".py")]
    assert len(files) == 9
    config = [
        "--no-cache", "--config", str(ROOT / "pyproject.toml"),
        "--config", 'lint.isort.known-first-party = ["acme", "gateway"]',
    ]  # fmt: skip
    # As in this repository: pydantic copies defaults, and tests assert.
    for verb in (["check", "--ignore", "RUF012,S101"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *verb, *config, *files],
            cwd=package, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_the_files_of_the_page_are_fully_typed(package: Path) -> None:
    done = run_python(
        package, "-m", "mypy", "--strict", "--explicit-package-bases", "--config-file=",
        "--cache-dir", str(package / "cache"), "-p", "acme", MYPYPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
