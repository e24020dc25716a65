"""Locates the company's package, which holds its clients, composites, limits and settings file."""

from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.settings.exception_text import describe_exception, find_module_line

ENTRY_POINT_GROUP = "lockgate"
SETTINGS_FILE = "lockgate.toml"
SETTING = "app.package"

Source = Literal["app.package", "entry point", "repository"]

_FRAMEWORK = Path(__file__).parents[1]


class NoAppPackage(InvalidSettings):
    """No package is named, none is installed with an entry point, and there is no shop."""


@dataclass(frozen=True, slots=True)
class AppPackage:
    """The module names of a package, and the path of its settings file, which may not exist.

    `source` says how the package was found. `declarations` is the prefix of the modules `limits`,
    `settings`, `routers`, `middleware` and `lifespan`. A module need not exist.
    """

    name: str
    source: Source
    declarations: str
    clients: str
    composites: str
    fakes: str
    settings_file: Path

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The names of the modules and packages that all modules of the application are below."""
        return self.declarations, self.clients, self.composites


def find_app_package(name: str | None) -> AppPackage:
    """Locate the package of the application.

    It is the package `name`, the value of `app.package`; if that is None, the package of the only
    entry point in the group `lockgate`; if there is none, the shop, which only a clone of the
    repository has. The package itself is not imported. For a dotted name its parent packages are.

    Raises:
        InvalidSettings: there is no such package, a parent package of it raises an exception, or
            several entry points name one.
        NoAppPackage: nothing names a package, and there is no shop.
    """
    if name is not None:
        hint = "name an importable package, such as acme for a folder acme in PYTHONPATH"
        return _locate(name, "app.package", hint)
    found = {entry.value: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if len(found) > 1:
        names = ", ".join(
            f"{value} (of {entry.dist.name})" if entry.dist else value
            for value, entry in sorted(found.items())
        )
        message = f"several entry points in the group {ENTRY_POINT_GROUP} name a package: {names}"
        raise _invalid(message, "set app.package to the one to serve, or uninstall the others")
    for entry_point in found:
        hint = f"an entry point in the group {ENTRY_POINT_GROUP} names it: its value is a package"
        return _locate(entry_point, "entry point", hint)
    return _find_shop()


def _locate(name: str, source: Source, hint: str) -> AppPackage:
    spec = _find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _invalid(f"there is no package called {name!r}", hint)
    folder = Path(spec.submodule_search_locations[0])
    return AppPackage(
        name=name,
        source=source,
        declarations=name,
        clients=f"{name}.clients",
        composites=f"{name}.composites",
        fakes=f"{name}.fakes",
        settings_file=folder / SETTINGS_FILE,
    )


def _find_spec(name: str) -> ModuleSpec | None:
    """Find a module; its parent packages are imported.

    Raises:
        InvalidSettings: a parent package raises an exception.
    """
    try:
        return find_spec(name)
    except (Exception, SystemExit) as error:
        place = find_module_line(error)
        if isinstance(error, ImportError | ValueError) and not place:
            return None  # no module raised it: a parent does not exist, or `name` is not a name
        parent = name.rpartition(".")[0]
        message = f"the package {parent} cannot be imported: {describe_exception(error)}"
        raise _invalid(message, place) from error


def _find_shop() -> AppPackage:
    # The wheel has no gateway/composites. An installed Lockgate therefore never imports `clients`
    # or `config`, which are common names that may belong to the application around it.
    if not (_FRAMEWORK / "composites").is_dir():
        message = f"no package is set or named by an entry point in the group {ENTRY_POINT_GROUP}"
        hint = (
            f"set {get_variable(SETTING)} to the package with your clients, composites and limits; "
            "`lockgate new PATH` creates one"
        )
        raise NoAppPackage([ConfigError(SETTING, message, hint)])
    return AppPackage(
        name="the shop of this repository",
        source="repository",
        declarations="config",
        clients="clients",
        composites="gateway.composites",
        fakes="gateway.demo",
        settings_file=_FRAMEWORK.parent / "config" / SETTINGS_FILE,
    )


def _invalid(message: str, hint: str) -> InvalidSettings:
    return InvalidSettings([ConfigError(SETTING, message, hint)])
