"""Validation that stops at the first wrong item of a series, by a change of pydantic's schemas.

Without it, pydantic collects an error of some hundred bytes for every wrong item: a body of 2 MB
that consists of `{}` would cost gigabytes. `pydantic.FailFast` marks one annotation; here every
series has to stop, at any depth and in classes of the company. So this file, and it alone, reads
core schemas as dicts. `pyproject.toml` bounds the version of pydantic, and
`tests/gateway/upstream/test_pydantic_internals.py` has a test for each key that is used.
"""

from typing import TypeVar

T = TypeVar("T")

_SERIES = frozenset({"list", "set", "frozenset", "tuple"})
_NO_SCHEMA = frozenset({"default", "metadata", "serialization"})


def with_fail_fast(schema: T) -> T:
    """A copy of a core schema in which every series stops at its first wrong item.

    The schema of another class inside is not reached, so each class has to do this itself.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(map(with_fail_fast, schema))
    if not isinstance(schema, dict):
        return schema
    # A dict is a schema only if "type" holds a string: a field may be called "type" or "default".
    kind = schema.get("type")
    kept = _NO_SCHEMA if isinstance(kind, str) else frozenset()
    copy = {key: it if key in kept else with_fail_fast(it) for key, it in schema.items()}
    if isinstance(kind, str) and kind in _SERIES:
        copy["fail_fast"] = True
    return copy  # type: ignore[return-value]
