"""Rules of file layout: size of files and functions, file names and docstrings."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.architecture.sources import (
    PACKAGES,
    get_relative_path,
    list_python_files,
    parse_file,
)

MAX_FILE_LINES, MAX_TEST_FILE_LINES, MAX_FUNCTION_LINES = 400, 400, 40
VAGUE_FILE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def iterate_functions(file: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parse_file(file)) if isinstance(node, Function))


def count_body_lines(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def find_violations(files: Iterable[Path], rule: Callable[[Path], object]) -> dict[str, object]:
    """Return what `rule` finds in each file, without the files where it finds nothing."""
    return {get_relative_path(file): found for file in files if (found := rule(file))}


SOURCES = list_python_files(*PACKAGES)


def test_files_are_small() -> None:
    def count_lines_over(limit: int) -> Callable[[Path], int]:
        return lambda file: max(0, len(file.read_text().splitlines()) - limit)

    assert not find_violations(SOURCES, count_lines_over(MAX_FILE_LINES))
    assert not find_violations(list_python_files("tests"), count_lines_over(MAX_TEST_FILE_LINES))


def test_functions_are_short() -> None:
    assert not find_violations(
        SOURCES,
        lambda file: [
            f.name for f in iterate_functions(file) if count_body_lines(f) > MAX_FUNCTION_LINES
        ],
    )


def test_a_file_has_a_specific_name_and_a_docstring() -> None:
    assert not find_violations(SOURCES, lambda file: file.stem in VAGUE_FILE_NAMES)
    assert not find_violations(SOURCES, lambda file: not ast.get_docstring(parse_file(file)))


def test_public_classes_and_functions_have_a_docstring() -> None:
    def find_undocumented(file: Path) -> list[str]:
        return [
            node.name
            for node in parse_file(file).body
            if isinstance(node, ast.ClassDef | Function)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and "composites" not in file.parts  # the name and types of a part are enough
        ]

    assert not find_violations(SOURCES, find_undocumented)
