"""Reads the settings: the file, the environment over it, and a clear word on every mistake."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from gateway.settings.app_package import find_app_package
from gateway.settings.errors import ConfigError, InvalidSettings, nearest
from gateway.settings.schema import Settings

PREFIX = "LOCKGATE_"
FILE_VARIABLE = "LOCKGATE_CONFIG"
PACKAGE_VARIABLE = "LOCKGATE_APP__PACKAGE"


def load_settings(file: Path | None = None) -> Settings:
    """Read the package's settings file, then `file`, then the environment: each overrides.

    Without `file`, `LOCKGATE_CONFIG` may name one.

    Raises:
        SettingsMistaken: a key is unknown or a value is wrong, in the file or the environment.
    """
    if file is None and os.environ.get(FILE_VARIABLE):
        file = Path(os.environ[FILE_VARIABLE])
    given = _read(file) if file else {}
    given = _merge(_package_defaults(given), given)
    unknown = list(_unknown_variables(os.environ))
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise InvalidSettings([*unknown, *map(_mistake, error.errors())]) from None
    except UnreadableVariable as error:
        raise InvalidSettings([*unknown, _unreadable(error)]) from None
    if unknown:
        raise InvalidSettings(unknown)
    return settings


def _package_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings file of the company's package, which lies under all others."""
    app = given.get("app")
    name = os.environ.get(PACKAGE_VARIABLE) or (
        app.get("package") if isinstance(app, dict) else None
    )
    try:
        file = find_app_package(name).settings_file
    except InvalidSettings:
        return {}  # said by whoever loads the package
    return _read(file) if file.is_file() else {}


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of tables over another; a list is replaced as a whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = _merge(below, value)  # noqa: PLW2901 - the tables as one
        merged[key] = value
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(
            [ConfigError(str(file), error.strerror or "cannot be read", "name a TOML file")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings([ConfigError(str(file), f"is not TOML: {error}")]) from error


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[ConfigError]:
    """Variables with our prefix that no setting reads; pydantic-settings would pass over them."""
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable.upper() != FILE_VARIABLE:
            name = variable[len(PREFIX) :].split("__")[0].lower()
            if name not in Settings.model_fields:
                yield ConfigError(variable, "no such setting", nearest(name, Settings.model_fields))


def _mistake(error: ErrorDetails) -> ConfigError:
    path = [str(step) for step in error["loc"]]
    if error["type"] == "extra_forbidden":
        hint = nearest(path[-1], _keys_at(path[:-1]))
        return ConfigError(_place(path), "no such setting", hint)
    message = error["msg"].removeprefix("Value error, ")
    return ConfigError(_place(path), message[:1].lower() + message[1:], _given(error))


def _place(path: list[str]) -> str:
    return f"{'.'.join(path)} [{PREFIX}{'__'.join(path).upper()}]"


def _given(error: ErrorDetails) -> str:
    """What was given, where it is short and plainly no secret (an address may carry one)."""
    value = error["input"]
    plain = isinstance(value, int | float | str) and "url" not in str(error["loc"][-1])
    return f"got {value!r}" if plain and len(str(value)) <= 60 else ""


def _unreadable(error: UnreadableVariable) -> ConfigError:
    field = str(error).split('"')[1] if '"' in str(error) else ""
    return ConfigError(_place([field]), "is not JSON", "a list or table in a variable is JSON")


def _keys_at(path: list[str]) -> list[str]:
    """The keys that the settings know at `path`."""
    model: type[BaseModel] = Settings
    for step in path:
        field = model.model_fields.get(step)
        model = _model_in(field.annotation if field else None) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
