"""Reads the claims that hold an id: of a user, a service, a tenant or a client."""

from pydantic import JsonValue

MAX_NAME_LENGTH = 255


def read_id(value: JsonValue) -> str | None:
    """Return an id: a printable string, or an integer as its decimal digits; otherwise None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    is_name = isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()
    return str(value) if is_name else None
