"""Loads the settings from the package's file, the `--config` file and the environment."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from gateway.settings.app_package import find_app_package
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.schema import Settings

PREFIX = "LOCKGATE_"
FILE_VARIABLE = "LOCKGATE_CONFIG"

# An error repeats an invalid value only for these settings. A value of any other setting may be
# or contain a secret (a URL with a password, a header with an API key), so it must not reach a
# terminal or a log. A `*` matches one step of the path.
_SHOWN_SETTINGS = (
    "server.*",
    "server.trusted_proxies.*.*",
    "tokens.*",
    "counters.*",
    "limits.*",
    "demo.*",
    "log.*",
    "app.package",
    "issuers.*.issuer",
    "issuers.*.audience",
    "issuers.*.jwks_file",
    "issuers.*.algorithms",
    "issuers.*.algorithms.*",
    "issuers.*.clock_skew_seconds",
    "issuers.*.*_claim",
    "upstreams.*.timeout",
    "upstreams.*.connect_timeout",
    "upstreams.*.max_body_bytes",
    "upstreams.*.max_connections",
    "upstreams.*.idle_seconds",
    "upstreams.*.transport",
    "upstreams.*.forward_token",
    "upstreams.*.forward_headers",
    "upstreams.*.forward_headers.*",
    "upstreams.*.retry.*",
)
_MAX_SHOWN_LENGTH = 60


def load_settings(file: Path | None = None, *, package: str | None = None) -> Settings:
    """Load the settings from three layers, each overriding the one before.

    1. `lockgate.toml` in the company's package, if there is one.
    2. `file`, or the file that `LOCKGATE_CONFIG` names.
    3. The environment: variables with the prefix `LOCKGATE_`.

    Tables are merged key by key; a list is replaced as a whole. `package` replaces `app.package`.

    Raises:
        InvalidSettings: a file cannot be read, a key is unknown, or a value is invalid.
    """
    if file is None and os.environ.get(FILE_VARIABLE):
        file = Path(os.environ[FILE_VARIABLE])
    values = _read_toml(file) if file else {}
    values, package_errors = _add_package_file(values, package)
    unknown = list(_find_unknown_variables(os.environ))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        errors = [*unknown, *package_errors, *map(_convert_error, error.errors())]
        raise InvalidSettings(errors) from None
    except UnreadableVariable as error:
        raise InvalidSettings([*unknown, _convert_json_error(error)]) from None
    if unknown:
        raise InvalidSettings(unknown)
    if package is not None:
        app = settings.app.model_copy(update={"package": package})
        settings = settings.model_copy(update={"app": app})
    return settings


def _add_package_file(
    values: dict[str, Any], package_name: str | None
) -> tuple[dict[str, Any], list[ConfigError]]:
    """Merge `values` over the settings file of the company's package.

    The environment or `values` name the package. It is not fatal here if there is no such package,
    because `load_application` raises the same error. The error is returned as well: it may be the
    cause of missing settings.
    """
    try:
        package = find_app_package(
            package_name or _get_package(_read_environment()) or _get_package(values)
        )
    except InvalidSettings as error:
        return values, error.errors
    if not package.settings_file.is_file():
        return values, []
    defaults = _read_toml(package.settings_file)
    if _get_package(defaults) is not None:
        message = f"cannot be set in {package.settings_file}, which is the package's own file"
        hint = "set LOCKGATE_APP__PACKAGE, or set it in the file of --config"
        raise InvalidSettings([ConfigError("app.package [LOCKGATE_APP__PACKAGE]", message, hint)])
    return _merge(defaults, values), []


def _get_package(values: Mapping[str, Any]) -> str | None:
    app = values.get("app")
    name = app.get("package") if isinstance(app, dict) else None
    return name if isinstance(name, str) else None  # pydantic reports any other type


def _read_environment() -> dict[str, Any]:
    """Read the settings in the environment as one tree, unvalidated."""
    try:
        return EnvSettingsSource(Settings)()
    except UnreadableVariable:
        return {}  # load_settings reports it


def _merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees of tables; values of `upper` win. A list is replaced as a whole."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(
            [ConfigError(str(file), error.strerror or "cannot be read", "name a TOML file")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings([ConfigError(str(file), f"is not TOML: {error}")]) from error


def _find_unknown_variables(environ: Mapping[str, str]) -> Iterator[ConfigError]:
    """Find variables with our prefix that no setting reads; pydantic-settings ignores them."""
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable.upper() != FILE_VARIABLE:
            name = variable[len(PREFIX) :].split("__")[0].lower()
            if name not in Settings.model_fields:
                hint = suggest_nearest(name, Settings.model_fields)
                yield ConfigError(variable, "no such setting", hint)


def _convert_error(error: ErrorDetails) -> ConfigError:
    path = [str(step) for step in error["loc"]]
    if error["type"] == "extra_forbidden":
        hint = suggest_nearest(path[-1], _list_keys(path[:-1]))
        return ConfigError(_format_path(path), "no such setting", hint)
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return ConfigError(_format_path(path), message, _describe_input(path, error["input"]))


def _convert_json_error(error: UnreadableVariable) -> ConfigError:
    field = str(error).split('"')[1] if '"' in str(error) else ""
    return ConfigError(
        _format_path([field]), "is not JSON", "a list or table in a variable is JSON"
    )


def _format_path(path: list[str]) -> str:
    return f"{'.'.join(path)} [{PREFIX}{'__'.join(path).upper()}]"


def _describe_input(path: list[str], value: object) -> str:
    """Return the invalid value as a hint, if it is short and in `_SHOWN_SETTINGS`."""
    shown = isinstance(value, int | float | str) and any(
        _matches(path, pattern) for pattern in _SHOWN_SETTINGS
    )
    return f"got {value!r}" if shown and len(str(value)) <= _MAX_SHOWN_LENGTH else ""


def _matches(path: list[str], pattern: str) -> bool:
    steps = pattern.split(".")
    return len(path) == len(steps) and all(map(fnmatchcase, path, steps))


def _list_keys(path: list[str]) -> list[str]:
    """List the keys that the schema has at `path`."""
    model: type[BaseModel] = Settings
    for step in path:
        field = model.model_fields.get(step)
        model = _find_model(field.annotation if field else None) or model
    return list(model.model_fields)


def _find_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_find_model, get_args(annotation))), None)
