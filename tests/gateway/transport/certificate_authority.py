"""A certificate authority that lives as long as a test run."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

_YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _unsigned(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("Test authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_YESTERDAY)
    )


class Authority:
    """Issues certificates, and makes the TLS contexts of both sides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._certificate = (
            _unsigned("Test authority", self._key)
            .not_valid_after(_YESTERDAY + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, SHA256())
        )

    def make_client_context(self) -> ssl.SSLContext:
        """The context of a client that trusts this authority and no other."""
        pem = self._certificate.public_bytes(Encoding.PEM).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        return context

    @property
    def certificate_file(self) -> Path:
        """A file with the certificate of this authority, to be trusted by clients."""
        file = self._folder / "authority.pem"
        file.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return file

    def issue(self, host: str, *, days: int = 30, password: str | None = None) -> tuple[Path, Path]:
        """The files of a certificate for `host` and of its key, valid from yesterday on."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general(host)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _unsigned(host, key)
            .not_valid_after(_YESTERDAY + timedelta(days=days, seconds=1))
            .add_extension(names, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, SHA256())
        )
        number = certificate.serial_number
        files = self._folder / f"{number}.pem", self._folder / f"{number}.key"
        secret = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
        return files

    def make_server_context(self, host: str, *, days: int = 30) -> ssl.SSLContext:
        """The context of a server that is `host`, for so many days from yesterday."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(host, days=days))
        return context


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
