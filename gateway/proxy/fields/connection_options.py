"""The options of `Connection`: names of fields that are for one connection (RFC 9110, 7.6.1)."""

from collections.abc import Iterable

from gateway.http1_grammar import split_list

_WITHOUT_FIELDS = frozenset({b"keep-alive", b"Keep-Alive", b"close"})
"""The values that nearly all messages have. Both are removed in any case."""


def list_connection_options(connection: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the lower-case names in all `Connection` fields of a message, but for the usual."""
    values = [value for _, value in connection if value not in _WITHOUT_FIELDS]
    if not values:
        return frozenset()
    return frozenset(option.lower() for option in split_list(values))
