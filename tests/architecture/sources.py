"""The product's source files, parsed once for the tests beside this file."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "config", "gateway")


def python_files(*folders: str) -> list[Path]:
    """Every Python file under these folders of the project."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@cache
def tree(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def named(file: Path) -> set[str]:
    """Every name that a file uses or imports, alone and with what it is taken from."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names |= {node.attr, ast.unparse(node)}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def shown(file: Path) -> str:
    """The file's path as one writes it."""
    return file.relative_to(ROOT).as_posix()
