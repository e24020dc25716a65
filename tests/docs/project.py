"""The project's own files, as its readers find them."""

import os
from collections.abc import Iterator
from pathlib import Path

from config.loading import PREFIX

ROOT = Path(__file__).parents[2]

_NOT_OURS = {".git", ".venv", "__pycache__", "dist"}
_TOOLS = "cache", ".hypothesis"


def files(*suffixes: str) -> Iterator[Path]:
    """Every file of the project, or those that end so; what tools leave behind is not of it."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in _NOT_OURS and not f.endswith(_TOOLS)]
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffixes or ""))


def pages() -> list[Path]:
    """Every page that people read."""
    return sorted(files(".md"))


def shown(path: Path) -> str:
    """A file's path as one writes it."""
    return path.relative_to(ROOT).as_posix()


def bare_environment(**variables: str) -> dict[str, str]:
    """The environment without any setting but those given."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return bare | variables
