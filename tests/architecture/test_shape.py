"""The shape of the house: small files, short functions, telling names, told modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, python_files, shown, tree

LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 300, 400, 40
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


@pytest.mark.parametrize("file", python_files(*PACKAGES), ids=shown)
def test_a_source_file_is_small_and_says_what_it_is_for(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST_FILE
    docstring = ast.get_docstring(tree(file)) or ""
    assert docstring, "a module opens with what it is for"
    long = [f.name for f in functions(file) if body_lines(f) > LONGEST_FUNCTION]
    assert not long
    assert file.stem not in SAYS_NOTHING


@pytest.mark.parametrize("file", python_files("tests"), ids=shown)
def test_a_test_file_is_not_long(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST_TEST_FILE


@pytest.mark.parametrize("file", python_files(*PACKAGES), ids=shown)
def test_what_is_public_has_a_docstring(file: Path) -> None:
    public = [
        node.name
        for node in tree(file).body
        if isinstance(node, ast.ClassDef | Function)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and "composites" not in file.parts  # a part's name and types say all there is
    ]
    assert not public
