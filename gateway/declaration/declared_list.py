"""Finds the declarations that a package lists in a module, such as `routes` in `routes.py`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, TypeVar

from gateway.declaration.declaration import Declaration
from gateway.package_modules import PackageModules
from gateway.settings.errors import ConfigError

D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True, slots=True)
class DeclaredList(Generic[D]):
    """A list that a module of the same name must have, and what its entries are.

    `hint` says what belongs in the list. `unlisted` ends the error about a declaration that is in
    no list, as `so it is not served`.
    """

    variable: str
    kind: type[D]
    hint: str
    unlisted: str


def find_declarations(
    modules: PackageModules, package: str, declared: DeclaredList[D], prefixes: Sequence[str] = ()
) -> Sequence[D]:
    """Return the list of its module in `package`, which need not have that module.

    An entry of another type is an error, and so is a declaration that a module below one of
    `prefixes` holds in a variable but does not list. Each mistake of each declaration is an error,
    if its module was imported within `keep_invalid_declarations`. After any error, declarations
    are missing, and `has_failed` of the modules is True.
    """
    errors_before = len(modules.errors)
    found = _find_all(modules, f"{package}.{declared.variable}", declared, prefixes)
    if len(modules.errors) > errors_before:
        modules.has_failed = True
    return found


def _find_all(
    modules: PackageModules, name: str, declared: DeclaredList[D], prefixes: Sequence[str]
) -> Sequence[D]:
    module = modules.find(name)
    listed = _read_list(modules, module, declared) if module else []
    variables = list(_iter_variables([name, *prefixes], declared.kind))
    if invalid := [item for _, item in variables if item.mistakes]:
        for item in sorted(invalid, key=lambda it: (it.file, it.line)):
            modules.errors += [
                ConfigError(item.name, mistake, source=item.place) for mistake in item.mistakes
            ]
        return []
    if not modules.has_failed:
        for variable, item in variables:
            if not any(item is other for other in listed):
                where = f"is not in the list `{declared.variable}` of {name}"
                message = f"{item} {where}, so {declared.unlisted}"
                modules.add_error(variable, message, f"add it; {item.place} declares it")
    return listed


def _read_list(modules: PackageModules, module: ModuleType, declared: DeclaredList[D]) -> list[D]:
    variable, kind = declared.variable, declared.kind
    items = getattr(module, variable, None)
    if not isinstance(items, list | tuple):
        message = f"there is no `{variable} = [{kind.__name__}(...), ...]`"
        modules.add_error(module.__name__, message, declared.hint)
        return []
    for index, item in enumerate(items):
        if not isinstance(item, kind):
            message = f"{variable}[{index}] is {item!r:.60}, which is not a {kind.__name__}(...)"
            modules.add_error(module.__name__, message, declared.hint)
    return [item for item in items if isinstance(item, kind)]


def _iter_variables(prefixes: Sequence[str], kind: type[D]) -> Iterator[tuple[str, D]]:
    """Yield each declaration in a variable of an imported module, or in a list there, once.

    The path is `module.variable`.
    """
    seen: set[int] = set()
    for name, module in sorted(sys.modules.items()):
        if any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes):
            for variable, value in list(vars(module).items()):
                for item in value if isinstance(value, list | tuple) else [value]:
                    if isinstance(item, kind) and id(item) not in seen:
                        seen.add(id(item))
                        yield f"{name}.{variable}", item
