"""Finds the files of the project, without caches and virtual environments."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.loader import PREFIX

ROOT = Path(__file__).parents[2]

_EXCLUDED = {".git", "__pycache__", "dist", "node_modules"}
_VENV = ".venv"
_CACHES = "cache", ".hypothesis"


def find_files(*suffixes: str) -> Iterator[Path]:
    """Yield every file of the project whose name ends in one of `suffixes` (default: all)."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [folder for folder in folders if _is_included(folder)]
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffixes or ""))


def _is_included(folder: str) -> bool:
    return not (folder in _EXCLUDED or folder.startswith(_VENV) or folder.endswith(_CACHES))


def find_pages() -> list[Path]:
    """Return every Markdown page."""
    return sorted(find_files(".md"))


def relative_path(path: Path) -> str:
    """Return the path from the root of the project, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def build_environment(**variables: str) -> dict[str, str]:
    """Return the environment with no LOCKGATE_ variable except `variables`."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return unset | variables


def run_python(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python` with these arguments in a copy, importing the packages of the copy."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, check=False, timeout=50,
        env=build_environment(PYTHONPATH=str(folder), **variables), capture_output=True, text=True,
    )  # fmt: skip
