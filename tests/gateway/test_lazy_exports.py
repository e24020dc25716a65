"""Packages load their exports on first use: commands start without the libraries of the server."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

LAZY = ["gateway.auth", "gateway.ratelimit", "gateway.settings"]

SERVER = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "redis", "jose", "pydantic_settings")
"""Libraries of a gateway that a command or a simulation does not need: slow to import."""

LIMITS = "from gateway.cli.main import build_parser; build_parser(['limits'])"


def find_imported(code: str, libraries: tuple[str, ...]) -> list[str]:
    """Run the code in a new process, and return those of the libraries that it imports."""
    show = f"import sys; print(*(set({libraries!r}) & sys.modules.keys()))"
    command = [sys.executable, "-c", f"{code}\n{show}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("name", LAZY)
def test_each_export_is_loaded_from_its_module(name: str) -> None:
    package = import_module(name)
    for export in package.__all__:
        assert getattr(package, export).__name__.endswith(export) or export == "Caller"


@pytest.mark.parametrize("name", LAZY)
def test_no_export_has_the_name_of_a_module(name: str) -> None:
    package = import_module(name)
    modules = {it.stem for it in Path(package.__path__[0]).iterdir()}
    assert not modules & set(package.__all__)


def test_an_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'require'"):
        import_module("gateway.auth").require  # noqa: B018 - reading it is the test


def test_the_process_of_a_simulation_imports_no_library_of_the_server() -> None:
    assert find_imported("import gateway.ratelimit.simulation.child", (*SERVER, "httpx")) == []


def test_the_help_of_limits_imports_no_library_at_all() -> None:
    assert find_imported(LIMITS, (*SERVER, "httpx", "pydantic", "asyncio")) == []


def test_the_actions_of_limits_import_no_library_of_the_server() -> None:
    folder = Path(import_module("gateway.cli.limits").__path__[0])
    # `plan` loads the package of the company, as a gateway does.
    actions = [it.stem for it in sorted(folder.glob("[a-z]*.py")) if it.stem != "plan"]
    imports = "\n".join(f"import gateway.cli.limits.{it}" for it in actions)
    assert find_imported(imports, SERVER) == []


def test_a_library_that_is_imported_is_found() -> None:
    assert "fastapi" in find_imported("from gateway.ratelimit import limited", SERVER)
