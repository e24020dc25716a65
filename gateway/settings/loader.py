"""Loads the settings from the package's file, the `--config` file and the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.settings.app_package import find_app_package
from gateway.settings.environment import FILE_VARIABLE, read_environment, read_options
from gateway.settings.errors import PREFIX, ConfigError, InvalidSettings, get_variable
from gateway.settings.issuer_conflicts import find_issuer_conflicts
from gateway.settings.layers import Layer, find_source, merge_all
from gateway.settings.repair import validate
from gateway.settings.schema import Settings
from gateway.settings.setting_path import parse_path
from gateway.settings.toml_file import read_toml

__all__ = ["FILE_VARIABLE", "PREFIX", "LoadedSettings", "load_settings", "read_settings"]

_PACKAGE_PATH = "app.package"
_PACKAGE = ("app", "package")


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and the errors in them: a default stands in for each invalid value.

    `package_errors` are about the package of `app.package`. They are not errors of the settings,
    because only an application that loads the package needs it.
    """

    settings: Settings
    errors: Sequence[ConfigError]
    package_errors: Sequence[ConfigError]
    layers: Sequence[Layer]

    def locate(self, error: ConfigError) -> ConfigError:
        """Add the source of the value that an error is about, if a layer sets it.

        A setting that is missing in a table, such as an address, has the source of the table.
        """
        if error.source:
            return error
        path, _, _ = error.path.partition(" [")
        steps = parse_path(path)
        source = find_source(self.layers, steps)
        if not source and len(steps) > 2:
            source = find_source(self.layers, steps[:-1])
        return replace(error, path=path, source=source) if source else error


def load_settings(file: Path | None = None, *, package: str | None = None) -> Settings:
    """Load the settings from three layers, each overriding the one before.

    1. `lockgate.toml` in the company's package, if there is one.
    2. `file`, or the file that `LOCKGATE_CONFIG` names.
    3. The environment: variables with the prefix `LOCKGATE_`.

    Tables are merged key by key; a list is replaced as a whole. `package` replaces `app.package`.

    Raises:
        InvalidSettings: a file cannot be read, a key is unknown, or a value is invalid.
    """
    loaded = read_settings(file, {} if package is None else {_PACKAGE_PATH: package})
    if loaded.errors:
        # A package that does not exist may be the cause of missing settings.
        raise InvalidSettings([*loaded.package_errors, *loaded.errors])
    return loaded.settings


def read_settings(
    file: Path | None = None, options: Mapping[str, str] | None = None
) -> LoadedSettings:
    """Read the settings as `load_settings` does, and keep every error instead of raising the first.

    `options` are values of the command line by the path of their setting; they override all layers.
    """
    named_by = "--config"
    if file is None and (name := os.environ.get(FILE_VARIABLE, "").strip()):
        file, named_by = Path(name), FILE_VARIABLE
    layers = [
        read_toml(file, named_by) if file else Layer(),
        read_environment(os.environ),
        read_options(options or {}),
    ]
    package_layer, package_errors = _read_package_file(layers)
    layers.insert(0, package_layer)
    settings, invalid = validate(merge_all(layer.values for layer in layers))
    loaded = LoadedSettings(settings, [], [], layers)
    errors = [error for layer in layers for error in layer.errors]
    errors += map(loaded.locate, [*invalid, *find_issuer_conflicts(settings.issuers)])
    package_errors = list(map(loaded.locate, package_errors))
    return replace(loaded, errors=errors, package_errors=package_errors)


def _read_package_file(layers: Sequence[Layer]) -> tuple[Layer, Sequence[ConfigError]]:
    """Read the settings file of the package that the other layers name.

    If there is no such package, the errors are returned: `load_application` raises the same.
    """
    try:
        package = find_app_package(_get_package(merge_all(layer.values for layer in layers)))
    except InvalidSettings as missing:
        return Layer(), missing.errors
    if not package.settings_file.is_file():
        return Layer(), []
    layer = read_toml(package.settings_file, _PACKAGE_PATH)
    if _get_package(layer.values) is None:
        return layer, []
    hint = f"set {get_variable(_PACKAGE_PATH)}, or set it in the file of --config"
    message = "cannot be set in the package's own file"
    error = ConfigError(_PACKAGE_PATH, message, hint, layer.find_source(_PACKAGE))
    return replace(layer, values=layer.values | {"app": {}}, errors=[*layer.errors, error]), []


def _get_package(values: Mapping[str, Any]) -> str | None:
    app = values.get("app")
    name = app.get("package") if isinstance(app, dict) else None
    return name if name and isinstance(name, str) else None  # the schema refuses any other value
