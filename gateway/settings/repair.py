"""Validates the values of the settings, and replaces the invalid ones to find further errors."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.error_messages import (
    describe_error,
    describe_unknown,
    find_pattern,
    get_error_path,
)
from gateway.settings.errors import ConfigError
from gateway.settings.layers import Values
from gateway.settings.schema import Settings
from gateway.settings.section import CONFLICT
from gateway.settings.setting_path import SettingPath

_MAX_ROUNDS = 10

_URL = "https://placeholder.invalid"

# The replacements of invalid or missing values without a default. A `{}` is the key of the entry.
_PLACEHOLDERS: Mapping[str, Any] = {
    "issuers": [{"issuer": _URL, "audience": "-", "jwks_url": _URL}],
    "issuers.*": {"issuer": _URL + "/{}", "audience": "-", "jwks_url": _URL, "user_claim": ""},
    "issuers.*.issuer": _URL + "/{}",
    "issuers.*.audience": "-",
    "issuers.*.jwks_url": _URL,
    "limits.*": "1/second",
    "upstreams.*": {"url": _URL},
    "upstreams.*.url": _URL,
}


def validate(values: Values) -> tuple[Settings, list[ConfigError]]:
    """Return the settings and every error; a default or a placeholder replaces an invalid value.

    Pydantic checks a table as a whole only if each of its values is valid. So the values are
    validated again after the invalid ones have been replaced.
    """
    errors = [describe_unknown((key,)) for key in values if key not in Settings.model_fields]
    values = {key: value for key, value in values.items() if key in Settings.model_fields}
    replaced: set[SettingPath] = set()
    for _ in range(_MAX_ROUNDS):
        try:
            return Settings(**values), errors
        except ValidationError as invalid:
            found = invalid.errors(include_url=False)
        paths = {path for error in found for path in _list_paths(error)}
        errors += [
            describe_error(error)
            for error in found
            if not _is_consequence(error, earlier=replaced, now=paths)
        ]
        values = _replace_all(values, [_widen(path, replaced) for path in paths])
        replaced |= paths
    return Settings(), errors


def _list_paths(error: ErrorDetails) -> list[SettingPath]:
    """List the values to replace: the invalid one, or all that are in conflict with each other."""
    path = get_error_path(error)
    fields = error["ctx"]["fields"] if error["type"] == CONFLICT else ()
    return [(*path, field) for field in fields] or [path]


def _is_consequence(error: ErrorDetails, earlier: Set[SettingPath], now: Set[SettingPath]) -> bool:
    """Whether the error exists only because of values that this or an earlier round replaces."""
    path = get_error_path(error)
    if error["type"] == CONFLICT:
        removed = {other for other in earlier if _find_placeholder(other) is None}
        return not removed.isdisjoint(_list_paths(error))
    return any(path[: len(other)] == other[: len(path)] for other in earlier) or any(
        len(other) > len(path) and other[: len(path)] == path for other in now
    )


def _widen(path: SettingPath, replaced: Iterable[SettingPath]) -> SettingPath:
    """Return the path of the table instead, if the value has been replaced without success."""
    return path[:-1] if path in replaced and len(path) > 1 else path


def _replace_all(values: Values, paths: Iterable[SettingPath]) -> Values:
    """Replace the values at these paths. Entries of a list are removed from its end on."""
    for path in sorted(paths, key=lambda path: [step.zfill(20) for step in path], reverse=True):
        values = _replace(values, path, _find_placeholder(path))
    return values


def _replace(values: Any, path: SettingPath, placeholder: object) -> Any:  # noqa: ANN401 - a tree
    """Return a copy of the tree with the placeholder at `path`, or without the value if None."""
    step, below = path[0], path[1:]
    if isinstance(values, list):
        items: dict[str, Any] = {str(index): item for index, item in enumerate(values)}
        return list(_replace(items, path, placeholder).values())
    if not isinstance(values, dict):
        return values
    if below:
        return values | {step: _replace(values.get(step), below, placeholder)}
    if placeholder is None:
        return {key: value for key, value in values.items() if key != step}
    return values | {step: placeholder}


def _find_placeholder(path: SettingPath) -> object:
    pattern = find_pattern(path, _PLACEHOLDERS)
    placeholder = _PLACEHOLDERS[pattern] if pattern else None
    if isinstance(placeholder, dict):
        return {name: text.format(path[1]) for name, text in placeholder.items()}
    return placeholder.format(path[1]) if isinstance(placeholder, str) else placeholder
