"""Finds slowapi's own `Limiter`: it does not count with the limiter of the gateway.

This module does not import slowapi, so that an app that does not use it does not either.
"""

import sys
from collections.abc import Iterable, Iterator
from inspect import isfunction, ismodule, unwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from gateway.settings.errors import ConfigError
from gateway.settings.toml_file import format_file

_MESSAGE = "is slowapi's own Limiter, which counts in each process for itself or blocks the loop"
_HINT = "import Limiter from gateway.ratelimit.compat.slowapi instead of slowapi"


def is_of_slowapi(kind: type) -> bool:
    """Whether slowapi defines a class, or one of its base classes."""
    return any(base.__module__.partition(".")[0] == "slowapi" for base in kind.__mro__)


def find_foreign_limiters(
    functions: Iterable[tuple[str, object]], packages: Iterable[str], in_state: object
) -> Iterator[ConfigError]:
    """Find the limiters of slowapi that are variables of a module, or decorate a route.

    `functions` are routes, each as `GET /path`, with what it calls. `packages` are the names of
    packages whose modules are searched. `in_state` is `app.state.limiter`, if there is one.
    """
    variables = _find_variables(packages)
    for module, name, _ in variables.values():
        path = f"{module.__name__}.{name}"
        file = getattr(module, "__file__", None)
        yield ConfigError(path, _MESSAGE, _HINT, format_file(Path(file)) if file else "")
    if _is_foreign(in_state) and id(in_state) not in variables:
        yield ConfigError("app.state.limiter", _MESSAGE, _HINT)
    for route, function in functions:
        limiter = _find_captured(function)
        if limiter is not None and id(limiter) not in variables:
            yield ConfigError(route, f"its limiter {_MESSAGE}", _HINT, _locate(function))


def _find_variables(packages: Iterable[str]) -> dict[int, tuple[ModuleType, str, object]]:
    """Find the limiters of all modules, each once: in the module that creates it, by its imports.

    The limiter itself is in the result, so that no other object can have its id.
    """
    prefixes = tuple(f"{name}." for name in packages)
    found: dict[int, tuple[ModuleType, str, object]] = {}
    for module in [*sys.modules.values()]:
        if f"{getattr(module, '__name__', '')}.".startswith(prefixes):
            for name, value in vars(module).items():
                if _is_foreign(value) and (id(value) not in found or _can_create(module, value)):
                    found[id(value)] = module, name, value
    return found


def _is_foreign(value: object) -> bool:
    kind = type(value)
    is_own = any(base.__module__.startswith(f"{__package__}.") for base in kind.__mro__)
    return hasattr(kind, "shared_limit") and is_of_slowapi(kind) and not is_own


def _can_create(module: ModuleType, limiter: object) -> bool:
    """Whether a module has imported slowapi, or the class of a limiter."""
    return any(
        value is type(limiter)
        or (ismodule(value) and value.__name__.partition(".")[0] == "slowapi")
        for value in vars(module).values()
    )


def _find_captured(function: object) -> object | None:
    """Return the limiter that a decorator has stored in the closure of a function."""
    while isfunction(function):
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # it is not set yet
                continue
            if _is_foreign(value):
                return value  # type: ignore[no-any-return]
        function = getattr(function, "__wrapped__", None)
    return None


def _locate(function: Any) -> str:  # noqa: ANN401 - a function
    code = getattr(unwrap(function), "__code__", None)
    return f"{format_file(Path(code.co_filename))}:{code.co_firstlineno}" if code else ""
