"""The methods that a proxied route can take, and how they are listed."""

from collections.abc import Iterable

PROXIED_METHODS = (
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH",
    "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST",
    "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE",
    "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
)  # fmt: skip
"""Every method that the server parses, except CONNECT and TRACE.

CONNECT would open a tunnel to any address (RFC 9110, 9.3.6), and TRACE would send the fields that
the gateway adds back to the caller (9.3.8).
"""


def format_methods(methods: Iterable[str]) -> str:
    """Format as `GET/POST`, in this order; all of them, or more, as `ANY`."""
    names = list(methods)
    return "ANY" if set(PROXIED_METHODS) <= set(names) else "/".join(names)
