"""Describes why a connection ended early, in words that are safe for the log."""

import ssl

from gateway.tls_error import describe_tls_error
from gateway.transport.happy_eyeballs import describe_error
from gateway.transport.response_parser import ResponseParser

_TLS_ALERT = b"\x15\x03"  # content type and major version of a record (RFC 8446, 5.1)
_USE_HTTPS = "the url must begin with https://"

TLS_HINT = f"; if the port speaks TLS, {_USE_HTTPS}"
"""For a connection without TLS that ends before its first response: many servers that expect TLS
close it without a word."""


class ConnectionEnded(Exception):
    """Why a connection ended early; the message quotes nothing that was sent or received."""


def describe_progress(parser: ResponseParser, *, has_first_byte: bool) -> str:
    """Return how much of the response had arrived; `parser` holds it from its first byte on."""
    if not has_first_byte:
        return "before the response"
    part = "head" if parser.head is None else "body"
    return f"within the {part} of the response"


def describe_loss(error: Exception | None) -> str:
    """Return why the event loop has closed a connection, in the words of the system or OpenSSL."""
    if error is None:
        return "the connection was closed"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {describe_tls_error(error)}"
    return describe_error(error) if isinstance(error, OSError) else type(error).__name__


def describe_malformed(error: Exception, data: bytes) -> str:
    """Return why `data` is no response; a server that expects TLS sends an alert instead."""
    return f"the port speaks TLS: {_USE_HTTPS}" if data.startswith(_TLS_ALERT) else str(error)
