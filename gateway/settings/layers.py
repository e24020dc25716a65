"""The layers of the settings: values by path, and the source of each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.settings.errors import ConfigError
from gateway.settings.setting_path import SettingPath

Values = dict[str, Any]


class VariableText(str):
    """The text of a variable for `[app.settings]`; only the package knows the type of its value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one file, of the environment, or of the command line.

    `sources` has the line, the variable or the option that sets the value at a path; a value below
    that path has the same source. `errors` are about what could not be read as a value.
    """

    values: Values = field(default_factory=dict)
    sources: Mapping[SettingPath, str] = field(default_factory=dict)
    errors: Sequence[ConfigError] = ()

    def find_source(self, path: SettingPath) -> str:
        """Return the source of the value at `path`, or of a table with that path; "" if unknown."""
        for length in range(len(path), 0, -1):
            if source := self.sources.get(path[:length]):
                return source
        below = (known for known in self.sources if known[: len(path)] == path)
        return self.sources[found] if (found := next(below, None)) else ""


def find_source(layers: Sequence[Layer], path: SettingPath) -> str:
    """Return the source of the value at `path` in the last layer that has one; "" if none has."""
    for layer in reversed(layers):
        reached = _count_steps(layer.values, path)
        if reached == len(path):
            return layer.find_source(path)
        if reached is None:
            return ""
    return ""


def merge_all(trees: Iterable[Values]) -> Values:
    """Merge trees of tables key by key; later ones win. A list is replaced as a whole."""
    merged: Values = {}
    for tree in trees:
        merged = merge(merged, tree)
    return merged


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Values:
    """Merge two trees of tables; values of `upper` win."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def normalize(path: SettingPath) -> SettingPath:
    """Return a path with the name of a header field in lower case, as two layers may differ."""
    if len(path) > 3 and path[0] == "upstreams" and path[2] == "headers":
        return (*path[:3], path[3].lower(), *path[4:])
    return path


def normalize_headers(values: Values) -> Values:
    """Return the values with the names of header fields in lower case.

    Two spellings of one name in the same layer are kept, and the schema refuses them.
    """
    upstreams = values.get("upstreams")
    if not isinstance(upstreams, dict):
        return values
    return values | {"upstreams": {name: _lower_headers(of) for name, of in upstreams.items()}}


def _lower_headers(service: object) -> object:
    headers = service.get("headers") if isinstance(service, dict) else None
    if not isinstance(service, dict) or not isinstance(headers, dict):
        return service
    lowered = {name.lower(): value for name, value in headers.items()}
    return service | {"headers": lowered if len(lowered) == len(headers) else headers}


def _count_steps(values: object, path: SettingPath) -> int | None:
    """Count the steps of `path` that exist; None if a value other than a table replaces them."""
    for count, step in enumerate(path):
        if isinstance(values, list) and step.isdecimal() and int(step) < len(values):
            values = values[int(step)]
        elif not isinstance(values, dict):
            return None
        elif step in values:
            values = values[step]
        else:
            return count
    return len(path)
