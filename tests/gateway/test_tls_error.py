"""What the log says about TLS that fails."""

import ssl

import pytest

from gateway.tls_error import describe_certificate_error, describe_tls_error


@pytest.mark.parametrize(
    ("fault", "described"),
    [
        (
            "unable to get local issuer certificate",
            "unable to get local issuer certificate: the CA is unknown; set tls.ca_file",
        ),
        (
            "self-signed certificate",
            "self-signed certificate; if it is yours, set tls.ca_file",
        ),
        ("certificate has expired", "certificate has expired"),
        ("Hostname mismatch.", "Hostname mismatch"),
    ],
)
def test_a_certificate(fault: str, described: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = fault
    assert describe_certificate_error(error) == described


@pytest.mark.parametrize(
    ("kind", "reason", "described"),
    [
        (ssl.SSLError, "TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        (
            ssl.SSLError,
            "WRONG_VERSION_NUMBER",
            "this port speaks no TLS (WRONG_VERSION_NUMBER)",
        ),
        (ssl.SSLEOFError, None, "SSLEOFError"),
        (ssl.SSLWantReadError, None, "it did not complete"),
    ],
)
def test_a_handshake(kind: type[ssl.SSLError], reason: str, described: str) -> None:
    error = kind()
    error.reason = reason
    assert describe_tls_error(error) == described
