"""Reads the claims that hold an id: of a user, a service, a tenant or a client."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

MAX_NAME_LENGTH = 255


def read_id(value: JsonValue) -> str | None:
    """Return an id: a printable string, or an integer as its decimal digits; otherwise None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    is_name = isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()
    return str(value) if is_name else None


def read_ids(claims: Mapping[str, JsonValue], names: Iterable[str]) -> dict[str, str]:
    """Return the claims of these names that hold an id."""
    found = {name: read_id(claims.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}
