"""The project's own files, as its readers find them."""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.loader import PREFIX

ROOT = Path(__file__).parents[2]

_NOT_OURS = {".git", "__pycache__", "dist"}
_ENVIRONMENT = ".venv"
_TOOLS = "cache", ".hypothesis"


def files(*suffixes: str) -> Iterator[Path]:
    """Every file of the project, or those that end so; what tools leave behind is not of it."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [folder for folder in folders if _is_ours(folder)]
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffixes or ""))


def _is_ours(folder: str) -> bool:
    return not (folder in _NOT_OURS or folder.startswith(_ENVIRONMENT) or folder.endswith(_TOOLS))


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
