"""Fail-fast validation of collections, by a change of pydantic's core schemas.

By default, pydantic collects an error of some hundred bytes for every invalid item: a body of
2 MB that consists of `{}` would cost gigabytes. `pydantic.FailFast` marks one annotation, but the
gateway needs fail-fast collections at any depth, including in classes of the company. Therefore
this module, and no other, reads core schemas as dicts. `pyproject.toml` bounds the version of
pydantic, and `tests/gateway/upstream/test_pydantic_internals.py` tests each key that is used.
"""

from typing import TypeVar

T = TypeVar("T")

_SERIES = frozenset({"list", "set", "frozenset", "tuple"})
_NO_SCHEMA = frozenset({"default", "metadata", "serialization"})


def with_fail_fast(schema: T) -> T:
    """Return a copy of a core schema in which collections stop at their first invalid item.

    The schema of a nested class is not changed, so each class must call this function itself.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(map(with_fail_fast, schema))
    if not isinstance(schema, dict):
        return schema
    # A dict is a schema only if "type" is a string: a field can be named "type" or "default".
    kind = schema.get("type")
    kept = _NO_SCHEMA if isinstance(kind, str) else frozenset()
    copy = {key: value if key in kept else with_fail_fast(value) for key, value in schema.items()}
    if isinstance(kind, str) and kind in _SERIES:
        copy["fail_fast"] = True
    return copy  # type: ignore[return-value]
