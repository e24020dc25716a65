"""Importing the modules of a package, and collecting the errors of all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.package_modules import PackageModules

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Write:
    """A function that writes a module of the importable package `shelf`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write_module(file: str, text: str) -> None:
        path = tmp_path / "shelf" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (tmp_path / "shelf", path.parent):
            (folder / "__init__.py").touch()
        path.write_text(text)

    return write_module


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415 - only this fixture needs it

    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        monkeypatch.delitem(sys.modules, name)


def test_a_missing_module_is_no_error(write: Write) -> None:
    write("a.py", "")
    modules = PackageModules()
    assert modules.find("shelf.other") is None
    assert list(modules.iter_tree("shelf.other")) == []
    assert modules.errors == []


def test_every_module_that_cannot_be_imported_is_reported(write: Write, tmp_path: Path) -> None:
    write("a.py", "1 / 0")
    write("b.py", "")
    write("c/d.py", "\nimport no_such_module")
    modules = PackageModules()
    found = [module.__name__ for module in modules.iter_tree("shelf")]
    assert found == ["shelf", "shelf.b", "shelf.c"]
    assert list(map(str, modules.errors)) == [
        (
            "shelf.a: cannot be imported: ZeroDivisionError: division by zero "
            f"({tmp_path}/shelf/a.py, line 1)"
        ),
        (
            "shelf.c.d: cannot be imported: ModuleNotFoundError: No module named 'no_such_module' "
            f"({tmp_path}/shelf/c/d.py, line 2)"
        ),
    ]


def test_an_error_of_a_package_is_reported_for_the_package(write: Write, tmp_path: Path) -> None:
    write("c/d.py", "")
    write("c/__init__.py", "1 / 0")
    modules = PackageModules()
    for name in ("shelf.c.d", "shelf.c.other", "shelf.c"):
        assert modules.find(name) is None
    assert list(map(str, modules.errors)) == [
        (
            "shelf.c: cannot be imported: ZeroDivisionError: division by zero "
            f"({tmp_path}/shelf/c/__init__.py, line 1)"
        )
    ]


def test_an_error_is_one_line(write: Write, tmp_path: Path) -> None:
    write("a.py", "raise RuntimeError('Install it: \\n\\npip install it\\n')")
    modules = PackageModules()
    assert modules.find("shelf.a") is None
    assert list(map(str, modules.errors)) == [
        (
            "shelf.a: cannot be imported: RuntimeError: Install it: pip install it "
            f"({tmp_path}/shelf/a.py, line 1)"
        )
    ]


def test_a_module_that_imports_a_broken_one_adds_no_error(write: Write) -> None:
    write("a.py", "1 / 0")
    write("b.py", "import shelf.a")
    modules = PackageModules()
    list(modules.iter_files("shelf"))
    assert [error.path for error in modules.errors] == ["shelf.a"]


def test_the_files_of_a_package_leave_out_the_package_itself(write: Write) -> None:
    write("a.py", "")
    write("c/d.py", "")
    modules = PackageModules()
    assert [m.__name__ for m in modules.iter_files("shelf")] == ["shelf.a", "shelf.c"]
    assert [m.__name__ for m in modules.iter_files("shelf.a")] == ["shelf.a"]


SECRET = """
from pydantic import BaseModel, Field
class Keys(BaseModel):
    api_key: str = Field(max_length=3)
Keys(api_key="s3cret")
"""


def test_the_error_of_a_module_quotes_no_value_of_a_model(write: Write, tmp_path: Path) -> None:
    write("a.py", SECRET)
    modules = PackageModules()
    assert modules.find("shelf.a") is None
    assert list(map(str, modules.errors)) == [
        (
            "shelf.a: cannot be imported: ValidationError: invalid values for Keys: "
            f"api_key (string_too_long) ({tmp_path}/shelf/a.py, line 5)"
        )
    ]


def test_a_module_that_exits_is_reported(write: Write, tmp_path: Path) -> None:
    write("a.py", "import sys\nsys.exit()")
    write("b.py", "1 / 0")
    modules = PackageModules()
    list(modules.iter_files("shelf"))
    assert [(error.path, error.message) for error in modules.errors] == [
        ("shelf.a", "cannot be imported: SystemExit"),
        ("shelf.b", "cannot be imported: ZeroDivisionError: division by zero"),
    ]


def test_a_keyboard_interrupt_ends_the_import(write: Write) -> None:
    write("a.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        PackageModules().find("shelf.a")


def test_a_folder_without_an_init_module_is_a_package(write: Write, tmp_path: Path) -> None:
    write("a.py", "")
    write("b/c.py", "")
    write("not-a-name/d.py", "")
    for folder in ("b", "not-a-name"):
        (tmp_path / "shelf" / folder / "__init__.py").unlink()
    found = [module.__name__ for module in PackageModules().iter_tree("shelf")]
    assert found == ["shelf", "shelf.a", "shelf.b", "shelf.b.c"]
