"""Unpacks the wheel of this repository, and runs commands with it instead of the repository.

The child processes run with `-S`: without site-packages' `.pth` files, so that the editable
installation of this repository cannot stand in for a part that the wheel lacks.
"""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import fastapi
import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = Path(fastapi.__file__).parents[1]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, as `pip install --target` would leave it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "clients", "config", "gateway"):
        (source / name).symlink_to(ROOT / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    target = tmp_path_factory.mktemp("site-packages")
    (wheel,) = (source / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(
    installation: Path, folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`, with the wheel and its dependencies installed."""
    path = f"{folder}:{installation}:{DEPENDENCIES}"
    return subprocess.run(
        [sys.executable, "-S", *arguments], cwd=folder, check=False, timeout=50,
        env={"PYTHONPATH": path, **variables}, capture_output=True, text=True,
    )  # fmt: skip
