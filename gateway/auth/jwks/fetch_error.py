"""Describes why a document could not be fetched, in words for the log."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from gateway.tls_error import describe_certificate_error, describe_tls_error


class ProxyUnreachable(httpx.ProxyError):
    """There is no connection to the proxy itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the proxy of tokens.keys_proxy cannot be reached: {reason}")


def describe_fetch_error(error: Exception) -> str:
    """Return the cause of a failed fetch: DNS, connect, certificate, proxy or HTTP."""
    for cause in iter_causes(error):
        if description := _describe_cause(cause):
            return description
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def show_url(url: httpx.URL) -> str:
    """Return a URL without its query and credentials, which may be secrets."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))


def iter_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the innermost cause first, because the outer ones only say `ConnectError`."""
    causes = [error]
    while (inner := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 10:
        causes.append(inner)
    return reversed(causes)


def _describe_cause(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {describe_certificate_error(cause)}"
    if isinstance(cause, ssl.SSLError):
        return f"the TLS handshake failed: {describe_tls_error(cause)}"
    if isinstance(cause, socket.gaierror):
        return f"the host name cannot be resolved: {cause.strerror}"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(cause, httpx.ProxyError):
        is_reached = not isinstance(cause, ProxyUnreachable)
        return f"the proxy refused the connection: {cause}" if is_reached else str(cause)
    return ""
