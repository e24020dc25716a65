"""The errors of a connection that ends early, with reasons that are safe for the log."""

import ssl

import httpx

from gateway.tls_error import describe_tls_error
from gateway.transport.happy_eyeballs import describe_error
from gateway.transport.response_parser import MalformedResponse, ResponseParser

_TLS_ALERT = b"\x15\x03"  # content type and major version of a record (RFC 8446, 5.1)
_USE_HTTPS = "the url must begin with https://"


class ConnectionEnded(Exception):
    """Why a connection ended early; the message quotes nothing that was sent or received."""


def build_end_error(
    cause: Exception | None, parser: ResponseParser | None, *, may_need_tls: bool
) -> httpx.TransportError:
    """Build the error of an exchange whose connection has ended, for `cause` if there is one.

    `parser` has the response; None if it had not begun. `may_need_tls` is for the first exchange
    of a connection without TLS: many servers that expect TLS close it without a word.
    """
    kind = httpx.RemoteProtocolError if cause is None else httpx.ReadError
    reason = "the server closed the connection" if cause is None else _describe(cause)
    if parser is None:
        hint = f"; if the port speaks TLS, {_USE_HTTPS}" if may_need_tls else ""
        text = f"{reason} before the response{hint}"
    else:
        text = f"{reason} within the {'body' if parser.head else 'head'} of the response"
    error = kind(text)
    error.__cause__ = ConnectionEnded(text)
    return error


def _describe(cause: Exception) -> str:
    """Return why the event loop has closed a connection, in the words of the system or OpenSSL."""
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {describe_tls_error(cause)}"
    return describe_error(cause) if isinstance(cause, OSError) else type(cause).__name__


def build_malformed_error(cause: MalformedResponse, data: bytes) -> httpx.RemoteProtocolError:
    """Build the error for data that is no response, such as the alert of a server with TLS."""
    is_alert = data.startswith(_TLS_ALERT)
    text = f"the port speaks TLS: {_USE_HTTPS}" if is_alert else str(cause)
    error = httpx.RemoteProtocolError(text)
    error.__cause__ = MalformedResponse(text)  # without the traceback of the other
    return error
