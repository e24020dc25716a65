"""The path of a setting, and the type that the schema has at a path."""

import json
import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.settings.schema import Settings

SettingPath = tuple[str, ...]
"""The keys of the tables from the root to a setting; the key of an entry of a list is its index."""

_SCALARS = (bool, int, float)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|[^.]+')


def format_path(path: Sequence[str]) -> str:
    """Return a path as text, as TOML writes it: `upstreams.orders.url`, `limits."a.b"`."""
    return ".".join(step if _BARE_KEY.fullmatch(step) else _quote(step) for step in path)


def _quote(step: str) -> str:
    return json.dumps(step, ensure_ascii=False)


def parse_path(text: str) -> SettingPath:
    """Return the path that `format_path` has written."""
    steps = _STEP.findall(text)
    return tuple(json.loads(step) if step.startswith('"') else step for step in steps)


def find_type(path: Sequence[str]) -> object:
    """Return the type that the schema has at `path`; None if it has no such setting."""
    found: object = Settings
    for step in path:
        found = step_into(found, step)
    return found


def list_keys(path: Sequence[str]) -> list[str]:
    """List the keys that the table at `path` can have; empty if it is not a table of fixed keys."""
    model = find_type(path)
    return list(model.model_fields) if _is_model(model) else []


def find_meant_path(name: str) -> SettingPath | None:
    """Return the setting that `name` at the root means: `server_port` or `port` is `server.port`.

    The first has one underscore where the environment needs two, the second lacks its table.
    """
    tables = [table for table in list_keys(()) if name in list_keys((table,))]
    return _split_at_underscores((), name) or ((tables[0], name) if tables else None)


def _split_at_underscores(table: SettingPath, name: str) -> SettingPath | None:
    """Split a name into the keys of nested tables, the first of which is in `table`."""
    keys, is_free = list_keys(table), is_table(table) and not list_keys(table)
    for position in (position for position, char in enumerate(name) if char == "_"):
        key, rest = name[:position], name[position + 1 :]
        is_key = key in keys or (is_free and key)
        if is_key and (found := _split_at_underscores((*table, key), rest)):
            return found
    is_setting = bool(table and name) and (name in keys or is_free)
    return (*table, name) if is_setting else None


def is_table(path: Sequence[str]) -> bool:
    """Whether the setting at `path` is a table."""
    found = find_type(path)
    return _is_model(found) or get_origin(found) is dict


def is_list(path: Sequence[str]) -> bool:
    """Whether the setting at `path` is a list."""
    return get_origin(find_type(path)) is tuple


def find_scalar(path: Sequence[str]) -> type | None:
    """Return the type at `path` if a variable must be parsed for it: bool, int or float."""
    found = find_type(path)
    return found if isinstance(found, type) and found in _SCALARS else None


def step_into(annotation: object, step: str) -> object:
    """Return the type of the entry `step` of a table or list; None if it has no such entry."""
    if _is_model(annotation):
        field = annotation.model_fields.get(step)
        return _unwrap(field.annotation) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return _unwrap(arguments[1])
    if get_origin(annotation) is tuple:
        return _unwrap(arguments[0])
    return None


def _unwrap(annotation: object) -> object:
    """Return the type inside `Annotated[...]` and `... | None`."""
    if get_origin(annotation) is Annotated:
        return _unwrap(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _unwrap(next(kind for kind in get_args(annotation) if kind is not NoneType))
    return annotation


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
