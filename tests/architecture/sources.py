"""Finds and parses the project's source files for the architecture tests."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "config", "gateway")


def list_python_files(*folders: str) -> list[Path]:
    """List all Python files under these folders of the project."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@cache
def parse_file(file: Path) -> ast.Module:
    """Parse a file into its syntax tree; the result is cached."""
    return ast.parse(file.read_text(encoding="utf-8"))


def find_imports(file: Path) -> set[str]:
    """Find the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def find_names(file: Path) -> set[str]:
    """Find every name that a file uses or imports, plain and qualified (`sleep`, `time.sleep`)."""
    names: set[str] = set()
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names |= {node.attr, ast.unparse(node)}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def get_relative_path(file: Path) -> str:
    """Return the path relative to the project root, with forward slashes."""
    return file.relative_to(ROOT).as_posix()
