"""Which header fields a caller may send along: whole ones that leave the framing alone."""

import re
from collections.abc import Mapping
from functools import lru_cache

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_CONNECTION_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def validate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of `headers`, names in lower case.

    Raises:
        ValueError: a name or value is not one in ASCII (RFC 9110, 5.1 and 5.5), such as one with
            a line break in it, or the field belongs to the connection (RFC 9110, 7.6.1).
    """
    return {_name(name): _value(name, value) for name, value in headers.items()}


def serialize_headers(fields: Mapping[str, str]) -> str:
    """Checked fields as they stand in a message (RFC 9112, 5)."""
    return "".join([f"{name}: {value}\r\n" for name, value in fields.items()])


@lru_cache(maxsize=256)
def _name(name: str) -> str:
    lowered = name.lower()
    if not _NAME.fullmatch(name) or lowered in _CONNECTION_FIELDS:
        raise ValueError(f"header {name!r} is not a caller's to set")
    return lowered


def _value(name: str, value: str) -> str:
    # The first two answer at a glance for all but a tab, which is printable to nobody.
    if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
        raise ValueError(f"header {name!r} has a value that is not a field value")
    return value.strip()
