"""Validation and serialization of the header fields of calls.

A validated field cannot change the framing of a message.
"""

from collections.abc import Mapping
from functools import lru_cache

from gateway.http1_grammar import CONNECTION_FIELDS, TOKEN
from gateway.upstream.errors import InvalidArgument


def validate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a validated copy of `headers`, with names in lower case.

    Raises:
        InvalidArgument: a value is not printable ASCII (RFC 9110, 5.5), for example because of a
            line break.
        ValueError: a name is not valid (RFC 9110, 5.1), or the field belongs to the connection
            (RFC 9110, 7.6.1).
    """
    return {_validate_name(name): _validate_value(name, value) for name, value in headers.items()}


def serialize_headers(fields: Mapping[str, str]) -> str:
    """Serialize validated fields to the lines of a message (RFC 9112, 5)."""
    lines = ""
    for name, value in fields.items():
        lines += f"{name}: {value}\r\n"
    return lines


def is_field_value(value: str) -> bool:
    """Whether `value` is a field value in ASCII: printable characters, spaces and tabs."""
    # `isprintable` is faster than a pattern. A tab is allowed, although it is not printable.
    return value.isascii() and (value.isprintable() or value.replace("\t", "").isprintable())


@lru_cache(maxsize=256)
def _validate_name(name: str) -> str:
    lowered = name.lower()
    if not name.isascii() or not TOKEN.fullmatch(name.encode()):
        raise ValueError(f"header {name!r}: not a valid field name")
    if lowered in CONNECTION_FIELDS:
        raise ValueError(f"header {name!r}: it belongs to the connection and cannot be set")
    return lowered


def _validate_value(name: str, value: str) -> str:
    if not is_field_value(value):
        raise InvalidArgument(name, "a header value must be printable ASCII")
    return value.strip()
