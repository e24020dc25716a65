"""Recognizes a time in a claim: a NumericDate (RFC 7519, section 2), in seconds since the epoch."""

from typing import TypeGuard

from pydantic import JsonValue


def is_numeric_date(value: JsonValue) -> TypeGuard[int | float]:
    """Whether a claim is a number. `True` is none, though Python takes it for an integer."""
    return isinstance(value, int | float) and not isinstance(value, bool)
