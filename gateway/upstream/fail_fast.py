"""Validation that stops at the first wrong item: a body of `{}`s would cost gigabytes."""

from typing import TypeVar

T = TypeVar("T")

_SERIES = frozenset({"list", "set", "frozenset", "tuple"})
_NO_SCHEMA = frozenset({"default", "metadata", "serialization"})


def with_fail_fast(schema: T) -> T:
    """A copy of a schema of pydantic's in which no series is read on after a wrong item.

    pydantic writes every mistake down, a few hundred bytes each, however many there are; a
    schema of another class inside is not reached, so that each class has to do this itself.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(map(with_fail_fast, schema))
    if not isinstance(schema, dict):
        return schema
    # A field may be called "type" or "default": only with a text under "type" is it a schema.
    kind = schema.get("type")
    kept = _NO_SCHEMA if isinstance(kind, str) else frozenset()
    copy = {key: it if key in kept else with_fail_fast(it) for key, it in schema.items()}
    if isinstance(kind, str) and kind in _SERIES:
        copy["fail_fast"] = True
    return copy  # type: ignore[return-value]
