"""Reads the settings in the environment, one variable at a time, and options as if they were."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from gateway.settings.client_variables import CLIENT_VARIABLES
from gateway.settings.error_messages import find_pattern, show_example
from gateway.settings.errors import PREFIX, ConfigError, get_variable
from gateway.settings.injected_variables import is_injected
from gateway.settings.layers import Layer, Values, VariableText, merge, merge_all, normalize_headers
from gateway.settings.schema import Settings
from gateway.settings.setting_path import (
    SettingPath,
    find_scalar,
    find_type,
    format_path,
    is_list,
    is_table,
    list_keys,
)
from gateway.settings.value_file import UnreadableValue, read_value

FILE_VARIABLE = "LOCKGATE_CONFIG"
DELIMITER = "__"
FILE_SUFFIX = "_file"
APP_SETTINGS = ("app", "settings")

_OTHER_VARIABLES = CLIENT_VARIABLES | {FILE_VARIABLE}

_QUOTED = re.compile(r"""(["']).*\1""", re.DOTALL)


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Read every variable with our prefix; the variable of an inner setting wins over its table's.

    Names are the same in upper and lower case. A variable without a value counts as unset, as
    Compose sets it for `${X:-}`. A variable that Kubernetes or Docker injects is none of ours. The
    name of a setting with the suffix `_FILE` names a file with its value, such as a secret.
    """
    variables = sorted(_iter_variables(environ), key=lambda variable: len(variable.path))
    sources: dict[SettingPath, str] = {}
    trees, errors = list[Values](), list[ConfigError]()
    for variable in variables:
        path, name = variable.path, variable.name
        if path in sources:
            hint = f"unset {name} or {sources[path]}"
            errors.append(ConfigError(format_path(path), "is set twice", hint, name))
            continue
        sources[path] = name
        try:
            trees.append(_read_variable(path, _get_text(variable)))
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

    def __init__(self, path: SettingPath, text: str) -> None:
        super().__init__(Settings)
        self.env_vars = {f"{PREFIX}{DELIMITER.join(path)}".lower(): text}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: str) -> Any:  # noqa: ANN401 - the signature of pydantic-settings
        """Decode the text of a list or a table."""
        return _parse_json(value)


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable that sets the setting at `path`; `is_file` if its value is in the file `text`."""

    name: str
    text: str
    path: SettingPath
    is_file: bool


def _iter_variables(environ: Mapping[str, str]) -> Iterator[_Variable]:
    """Yield every variable that sets something, in alphabetical order."""
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in _OTHER_VARIABLES:
            continue
        text = environ[name].strip()
        path: SettingPath = tuple(name[len(PREFIX) :].lower().split(DELIMITER))
        setting = _find_setting_of_file(path)
        if text and (find_type(setting or path) is not None or not is_injected(name, environ)):
            yield _Variable(name, text, setting or path, is_file=setting is not None)


def _find_setting_of_file(path: SettingPath) -> SettingPath | None:
    """Return the setting whose value is in the file that this variable names; None if it is none.

    A table whose keys are free, such as `limits`, may have a key that ends in `_file`. So the
    suffix has a meaning for the fixed settings of the schema and for header fields alone.
    """
    *table, key = path
    setting = (*table, key.removesuffix(FILE_SUFFIX))
    if setting == path or key in list_keys(table):
        return None
    is_known = setting[-1] in list_keys(table) or find_pattern(path, ("upstreams.*.headers.*",))
    return setting if is_known else None


def _get_text(variable: _Variable) -> str:
    """Return the value of a variable, or that of the file it names, without white space around it.

    Raises:
        _InvalidVariable: the file cannot be read, or the text has quotes that a shell would remove.
    """
    is_ours = variable.path[: len(APP_SETTINGS)] != APP_SETTINGS
    if is_ours and _QUOTED.fullmatch(variable.text):
        hint = "write it without quotes; docker run --env-file does not remove them"
        raise _InvalidVariable("has quotes around its value, which are part of the value", hint)
    return _read_file(variable) if variable.is_file else variable.text


def _read_file(variable: _Variable) -> str:
    """Return the value in the file that a variable names, without white space around it.

    Raises:
        _InvalidVariable: the file cannot be read, or its text has quotes around it.
    """
    try:
        text = read_value(Path(variable.text)).strip()
    except UnreadableValue as error:
        hint = f"{variable.name} must name a file with the value"
        raise _InvalidVariable(str(error), hint) from None
    if _QUOTED.fullmatch(text):
        message = f"{variable.text}: has quotes around its value, which are part of the value"
        raise _InvalidVariable(message, "write the value into the file without quotes")
    return text


def _read_variable(path: SettingPath, text: str) -> Values:
    """Return the value of a variable, in the tables around it.

    Raises:
        _InvalidVariable: it is below a value or a list, or it is not the JSON of a table or list.
    """
    if path[: len(APP_SETTINGS)] == APP_SETTINGS and len(path) > len(APP_SETTINGS):
        return _nest(path, VariableText(text))  # decoded by app_settings.py
    _refuse_inner_variable(path)
    _refuse_file_of_entry(path, text)
    if is_list(path) or is_table(path):
        try:
            return _VariableSource(path, text)() or _nest(path, text)
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


def _refuse_file_of_entry(path: SettingPath, text: str) -> None:
    """Refuse the path of a file for an entry of a table with free keys, such as `limits`.

    There the suffix `_FILE` is a part of the key, so that no file is read.
    """
    *table, key = path
    is_entry = is_table(table) and not list_keys(table)
    if is_entry and key.endswith(FILE_SUFFIX) and text.startswith(("/", "./", "../", "~")):
        variable, name = get_variable(format_path(table)), format_path(table)
        hint = f"set {variable}{FILE_SUFFIX.upper()} to a file with the table in JSON"
        raise _InvalidVariable(f"an entry of {name} cannot be read from a file", hint)


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
