"""Exports of a package that are loaded on first use (PEP 562).

A module of a package cannot be imported without the package, so an export that is loaded at once is
loaded for every module of it: FastAPI, say, for a number.
"""

from collections.abc import Callable, Mapping
from importlib import import_module


def load_on_first_use(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of a package: it imports an export from its module, by `modules`.

    No export may have the name of a module of the package: importing that module would replace it.
    """

    def get_export(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get_export
