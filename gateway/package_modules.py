"""Imports the modules of the company's package, and collects the errors of all of them."""

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from gateway.settings.errors import ConfigError
from gateway.settings.exception_text import describe_exception, find_module_line


class PackageModules:
    """Imports modules by name. `errors` has an error for each module that cannot be imported.

    A module that fails only because it imports another one that failed adds no error of its own.
    `has_failed` is True if any module could not be imported, or if proxied routes are missing.
    """

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []
        self.has_failed = False

    def add_error(self, path: str, message: str, hint: str) -> None:
        """Record an error in a module."""
        self.errors.append(ConfigError(path, message, hint))

    def find(self, name: str) -> ModuleType | None:
        """Import a module; None if there is none, or if it raises an exception."""
        try:
            return None if find_spec(name) is None else import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
            self.has_failed = True
            message = f"cannot be imported: {describe_exception(error)}"
            place = find_module_line(error)
            if (message, place) not in [(other.message, other.hint) for other in self.errors]:
                self.add_error(_find_failed_module(name), message, place)
            return None

    def iter_tree(self, name: str) -> Iterator[ModuleType]:
        """Yield a module; if it is a package, also its modules and those of its subpackages."""
        module = self.find(name)
        if module is not None:
            yield module
            for submodule in list_submodules(module):
                yield from self.iter_tree(submodule)

    def iter_files(self, name: str) -> Iterator[ModuleType]:
        """Yield the modules directly in a package, or the module itself if it is not a package."""
        module = self.find(name)
        if module is not None and hasattr(module, "__path__"):
            yield from filter(None, map(self.find, list_submodules(module)))
        elif module is not None:
            yield module


def _find_failed_module(name: str) -> str:
    """Return the outermost package of a module that could not be imported, or the module itself."""
    steps = name.split(".")
    names = (".".join(steps[:length]) for length in range(1, len(steps)))
    return next((outer for outer in names if outer not in sys.modules), name)


def list_submodules(module: ModuleType) -> list[str]:
    """List the modules of a package in alphabetical order; a plain module has none.

    A folder of modules is a package even without `__init__.py` (PEP 420).
    """
    path = list(getattr(module, "__path__", ()))
    folders = {file.parent.name for folder in path for file in Path(folder).glob("*/*.py")}
    names = {found.name for found in iter_modules(path)} | set(filter(str.isidentifier, folders))
    return sorted(f"{module.__name__}.{name}" for name in names)
