"""Where the company's package keeps its clients, composites, limits and settings file."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateway.settings.errors import ConfigError, InvalidSettings

SETTINGS_FILE = "lockgate.toml"
SETTING = "app.package [LOCKGATE_APP__PACKAGE]"

_FRAMEWORK = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class AppPackage:
    """Module names, and the path of the settings file, which may not exist."""

    clients: str
    composites: str
    limits: str
    settings_file: Path


def find_app_package(name: str | None) -> AppPackage:
    """Find the package called `name`; without a name, the shop in a clone of the repository.

    Nothing of the package is imported but its parents.

    Raises:
        InvalidSettings: there is no such package, or no name in an installed Lockgate, which
            brings no shop.
    """
    if name is None:
        return _find_shop()
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        message = f"there is no package called {name!r}"
        raise InvalidSettings([ConfigError(SETTING, message, "name an importable package")])
    folder = Path(spec.submodule_search_locations[0])
    return AppPackage(
        clients=f"{name}.clients",
        composites=f"{name}.composites",
        limits=f"{name}.limits",
        settings_file=folder / SETTINGS_FILE,
    )


def _find_shop() -> AppPackage:
    if not (_FRAMEWORK / "composites").is_dir():
        hint = "name the package that holds your clients, composites and limits"
        raise InvalidSettings([ConfigError(SETTING, "no package is set", hint)])
    return AppPackage(
        clients="clients",
        composites="gateway.composites",
        limits="config.limits",
        settings_file=_FRAMEWORK.parent / "config" / SETTINGS_FILE,
    )
