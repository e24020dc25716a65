"""Reads the settings in the environment, one variable at a time, and options as if they were."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from gateway.settings.error_messages import show_example
from gateway.settings.errors import PREFIX, ConfigError, get_variable
from gateway.settings.layers import Layer, Values, VariableText, merge, merge_all, normalize_headers
from gateway.settings.schema import Settings
from gateway.settings.setting_path import (
    SettingPath,
    find_scalar,
    find_type,
    format_path,
    is_list,
    is_table,
)

FILE_VARIABLE = "LOCKGATE_CONFIG"
DELIMITER = "__"
APP_SETTINGS = ("app", "settings")


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Read every variable with our prefix; the variable of an inner setting wins over its table's.

    Names are the same in upper and lower case.
    """
    variables = sorted(_iter_variables(environ), key=lambda variable: len(variable[0]))
    sources: dict[SettingPath, str] = {}
    trees, errors = list[Values](), list[ConfigError]()
    for path, name in variables:
        if path in sources:
            hint = f"unset {name} or {sources[path]}"
            errors.append(ConfigError(format_path(path), "is set twice", hint, name))
            continue
        sources[path] = name
        try:
            trees.append(_read_variable(path, name, environ[name]))
        except _InvalidVariable as error:
            errors.append(error.as_config_error(path, name))
    values = merge_all(trees)
    return Layer(normalize_headers(values), sources, errors)


def read_options(options: Mapping[str, str]) -> Layer:
    """Read options of the command line; the keys of `options` are paths, as `server.port`."""
    values: Values = {}
    sources: dict[SettingPath, str] = {}
    for option, text in options.items():
        path: SettingPath = tuple(option.split("."))
        values = merge(values, _nest(path, parse_scalar(path, text)))
        sources[path] = f"--{path[-1]}"
    return Layer(values, sources)


def parse_scalar(path: SettingPath, text: str) -> object:
    """Parse a text as the number or boolean of the schema; the schema refuses any other text."""
    kind = find_scalar(path)
    if kind is None:
        return text
    try:
        return TypeAdapter(kind).validate_strings(text)
    except ValidationError:
        return text


class _InvalidVariable(Exception):
    """The text of a variable is not a value."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def as_config_error(self, path: SettingPath, name: str) -> ConfigError:
        return ConfigError(format_path(path), self.message, self.hint, name)


class _VariableSource(EnvSettingsSource):
    """One variable, so that each value and each error has a source."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): text}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: str) -> Any:  # noqa: ANN401 - the signature of pydantic-settings
        """Decode the text of a list or a table."""
        return _parse_json(value)


def _iter_variables(environ: Mapping[str, str]) -> Iterator[tuple[SettingPath, str]]:
    """Yield the path and the name of every variable with our prefix, in alphabetical order."""
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() != FILE_VARIABLE:
            yield tuple(name[len(PREFIX) :].lower().split(DELIMITER)), name


def _read_variable(path: SettingPath, name: str, text: str) -> Values:
    """Return the value of a variable, in the tables around it.

    Raises:
        _InvalidVariable: it is below a value or a list, or it is not the JSON of a table or list.
    """
    if path[: len(APP_SETTINGS)] == APP_SETTINGS and len(path) > len(APP_SETTINGS):
        return _nest(path, VariableText(text))  # decoded by app_settings.py
    _refuse_inner_variable(path)
    if is_list(path) or is_table(path):
        try:
            return _VariableSource(name, text)() or _nest(path, text)
        except _NotJson as error:
            raise _describe_json_error(path, text, str(error)) from None
    return _nest(path, parse_scalar(path, text))


def _refuse_inner_variable(path: SettingPath) -> None:
    for length in range(1, len(path)):
        outer = path[:length]
        if is_list(outer):
            message = f"{format_path(outer)} is a list, which is set as a whole"
            raise _InvalidVariable(message, f"set {get_variable(format_path(outer))} to JSON")
        if find_type(outer) is not None and not is_table(outer):
            message = f"{format_path(outer)} is not a table, so it has no settings"
            raise _InvalidVariable(message, f"set {get_variable(format_path(outer))}")


def _describe_json_error(path: SettingPath, text: str, problem: str) -> _InvalidVariable:
    kind = "list" if is_list(path) else "table"
    hint = problem if text.lstrip().startswith(("[", "{")) else show_example(path, text)
    return _InvalidVariable(f"must be a {kind} in JSON", hint)


def _nest(path: SettingPath, value: object) -> Values:
    """Return a value in the tables of its path."""
    for step in reversed(path):
        value = {step: value}
    assert isinstance(value, dict)  # noqa: S101 - a path has at least one step
    return value


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_build_object)
    except json.JSONDecodeError as error:
        problem = f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos + 1}"
        raise _NotJson(f"the JSON is not valid: {problem}") from None
    except RecursionError:
        raise _NotJson("the JSON is nested too deep") from None
    except ValueError as error:
        raise _NotJson(f"the JSON is not valid: {error}") from None


def _build_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("it has a key twice")
    return members


class _NotJson(Exception):
    """The text of a variable is not JSON. Not a ValueError, which pydantic-settings may ignore."""
