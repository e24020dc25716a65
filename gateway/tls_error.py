"""Describes why TLS to an identity provider, a service or Redis has failed, for the log."""

import ssl

CA_HINT = "set tls.ca_file"
NO_TLS = "this port speaks no TLS"

_CERTIFICATE_HINTS = {
    "self-signed certificate": f"; if it is yours, {CA_HINT}",
    "self-signed certificate in certificate chain": f"; if its CA is yours, {CA_HINT}",
    "unable to get local issuer certificate": f": the CA is unknown; {CA_HINT}",
}
_WITHOUT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


def describe_certificate_error(error: ssl.SSLCertVerificationError) -> str:
    """Return the fault of the server's certificate, and the setting for a private CA."""
    fault = str(error.verify_message).rstrip(".")
    return f"{fault}{_CERTIFICATE_HINTS.get(fault, '')}"


def describe_tls_error(error: ssl.SSLError) -> str:
    """Return the reason of OpenSSL, such as `TLSV13_ALERT_CERTIFICATE_REQUIRED`."""
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return "it did not complete"
    reason = error.reason or type(error).__name__
    return f"{NO_TLS} ({reason})" if reason in _WITHOUT_TLS else reason
