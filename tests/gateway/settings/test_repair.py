"""Any value at any setting is accepted, or refused with the path of the setting."""

import json
import math
import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.settings.loader import LoadedSettings, read_settings
from gateway.settings.setting_path import SettingPath, list_keys, parse_path

# What a TOML file and the JSON of a variable can both write: no surrogates, no control characters.
TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs", "Cc")), max_size=20)
SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXTS
    | st.sampled_from(["http://h", "redis://h/0", "10.0.0.0/8", "1/second", "x-key", "127.0.0.1"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def list_paths(path: SettingPath = ()) -> list[SettingPath]:
    """List the path of every setting and table; an entry of `issuers` and others is `*`."""
    found = [path] if path else []
    for key in list_keys(path) or (["*"] if list_keys((*path, "*")) else []):
        found += list_paths((*path, key))
    return found


PATHS = list_paths()
ANY = settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])


def nest(path: SettingPath, value: Any) -> Any:
    """Return the tables around a value; `*` is the service `orders`, or the first issuer."""
    for step in reversed(path):
        if step != "*":
            value = {step: value}
        else:
            value = [value] if path[0] == "issuers" else {"orders": value}
    return value


def to_toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return json.dumps(value)


def check_errors(loaded: LoadedSettings, path: SettingPath) -> None:
    """Each error has a source, words of our own, and a path at, below or around the setting."""
    index = "0" if path[0] == "issuers" else "orders"
    expected = tuple(index if step == "*" else step for step in path)
    for error in loaded.errors:
        found = parse_path(error.path)
        is_near = all(a.lower() == b.lower() for a, b in zip(found, expected, strict=False))
        assert is_near or error.message == "is required", error
        assert error.source, error
        assert not re.search("[Ii]nput|unable|Extra|instance", error.message), error


def read(environ: dict[str, str], file: Path | None = None) -> LoadedSettings:
    with mock.patch.dict(os.environ, environ, clear=True):
        return read_settings(file)


@pytest.fixture(autouse=True, scope="module")
def _read_entry_points_once() -> Iterator[None]:
    """Read the metadata of the installed packages once, not for each example: that is slow."""
    with mock.patch("gateway.settings.app_package.entry_points", cache(entry_points)):
        yield


@given(path=st.sampled_from(PATHS), value=VALUES)
@ANY
def test_any_json_in_a_variable(path: SettingPath, value: Any) -> None:
    tree = nest(path, value)
    (top,) = tree
    text = tree[top] if len(path) == 1 and isinstance(value, str) else json.dumps(tree[top])
    check_errors(read({f"LOCKGATE_{top.upper()}": text}), path)


@given(path=st.sampled_from(PATHS), value=VALUES)
@ANY
def test_any_toml_in_a_file(tmp_path: Path, path: SettingPath, value: Any) -> None:
    file = tmp_path / "any.toml"
    ((top, below),) = nest(path, value).items()
    file.write_text(f"{top} = {to_toml(below)}\n", encoding="utf-8")
    check_errors(read({}, file), path)


@given(path=st.sampled_from(PATHS), text=TEXTS | st.binary().map(os.fsdecode))
@ANY
def test_any_text_in_the_variable_of_a_setting(path: SettingPath, text: str) -> None:
    name = "LOCKGATE_" + "__".join(path).replace("*", "orders").upper()
    assume("\0" not in text)
    loaded = read({name: text})
    if path[0] != "issuers" or len(path) == 1:
        check_errors(loaded, path)
    else:
        assert [error.source for error in loaded.errors] == ([name] if text.strip() else [])
