"""Finds tickets in a query, and takes them out of it."""

from urllib.parse import unquote_to_bytes

PARAMETER = "ticket"

_NAME = PARAMETER.encode()


def split_tickets(query: bytes) -> tuple[list[bytes], bytes]:
    """Return the values of all tickets in a query, and the query without them, byte for byte.

    A name is compared as a service would decode it: no spelling of it is left in the query.
    """
    tickets, rest = [], []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if unquote_to_bytes(name.replace(b"+", b" ")) == _NAME:
            tickets.append(value)
        else:
            rest.append(pair)
    return tickets, b"&".join(rest)
