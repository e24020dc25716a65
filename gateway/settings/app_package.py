"""Locates the company's package, which holds its clients, composites, limits and settings file."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateway.settings.errors import ConfigError, InvalidSettings

SETTINGS_FILE = "lockgate.toml"

_SETTING = "app.package [LOCKGATE_APP__PACKAGE]"
_FRAMEWORK = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class AppPackage:
    """The module names of a package, and the path of its settings file, which may not exist."""

    clients: str
    composites: str
    limits: str
    settings_file: Path


def find_app_package(name: str | None) -> AppPackage:
    """Locate a package by name; None is the shop, which only a clone of the repository has.

    The package itself is not imported. For a dotted name its parent packages are.

    Raises:
        InvalidSettings: there is no such package, or `name` is None and there is no shop.
    """
    if name is None:
        return _find_shop()
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        message = f"there is no package called {name!r}"
        hint = "name an importable package, such as acme for a folder acme in PYTHONPATH"
        raise InvalidSettings([ConfigError(_SETTING, message, hint)])
    folder = Path(spec.submodule_search_locations[0])
    return AppPackage(
        clients=f"{name}.clients",
        composites=f"{name}.composites",
        limits=f"{name}.limits",
        settings_file=folder / SETTINGS_FILE,
    )


def _find_shop() -> AppPackage:
    # The wheel has no gateway/composites. An installed Lockgate therefore never imports `clients`
    # or `config`, which are common names that may belong to the application around it.
    if not (_FRAMEWORK / "composites").is_dir():
        hint = "name the package that holds your clients, composites and limits"
        raise InvalidSettings([ConfigError(_SETTING, "no package is set", hint)])
    return AppPackage(
        clients="clients",
        composites="gateway.composites",
        limits="config.limits",
        settings_file=_FRAMEWORK.parent / "config" / SETTINGS_FILE,
    )
