"""The shape of the house: small files, short functions, telling names, told modules."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.architecture.sources import PACKAGES, python_files, shown, tree

LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 400, 400, 40
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(file: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(file)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of a function, its docstring aside."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def culprits(files: Iterable[Path], rule: Callable[[Path], object]) -> dict[str, object]:
    """What breaks the rule, by the file it is in."""
    return {shown(file): found for file in files if (found := rule(file))}


SOURCES = python_files(*PACKAGES)


def test_files_are_small() -> None:
    def lines_beyond(limit: int) -> Callable[[Path], int]:
        return lambda file: max(0, len(file.read_text().splitlines()) - limit)

    assert not culprits(SOURCES, lines_beyond(LONGEST_FILE))
    assert not culprits(python_files("tests"), lines_beyond(LONGEST_TEST_FILE))


def test_functions_are_short() -> None:
    assert not culprits(
        SOURCES, lambda file: [f.name for f in functions(file) if body_lines(f) > LONGEST_FUNCTION]
    )


def test_a_file_has_a_telling_name_and_opens_with_what_it_is_for() -> None:
    assert not culprits(SOURCES, lambda file: file.stem in SAYS_NOTHING)
    assert not culprits(SOURCES, lambda file: not ast.get_docstring(tree(file)))


def test_what_is_public_has_a_docstring() -> None:
    def silent(file: Path) -> list[str]:
        return [
            node.name
            for node in tree(file).body
            if isinstance(node, ast.ClassDef | Function)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and "composites" not in file.parts  # a part's name and types say all there is
        ]

    assert not culprits(SOURCES, silent)
