"""The tests of the framework do not need the shop, so a clone without it passes them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import get_relative_path, list_python_files, parse_file

SHOP = ("clients", "config", "gateway.composites", "gateway.demo", "tests.shop", "tests.bench")
SHOP_FOLDERS = ("tests/shop/", "tests/bench/")


def iter_imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_imports_of_the_shop(file: Path) -> list[str]:
    return [
        module
        for module in iter_imported_modules(file)
        if any(f"{module}.".startswith(f"{name}.") for name in SHOP)
    ]


def test_no_test_of_the_framework_imports_the_shop() -> None:
    files = [
        file
        for file in list_python_files("tests")
        if not get_relative_path(file).startswith(SHOP_FOLDERS)
    ]
    assert len(files) > 200
    found = {get_relative_path(file): find_imports_of_the_shop(file) for file in files}
    assert not {file: imports for file, imports in found.items() if imports}


def test_an_import_of_the_shop_is_found(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("import clients.users\nfrom gateway import demo\nfrom gateway.app import x\n")
    assert find_imports_of_the_shop(file) == ["clients.users", "gateway.demo"]
