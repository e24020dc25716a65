"""TLS contexts of a client, and of servers with valid and invalid certificates."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.gateway.transport.certificate_authority import Authority
from tests.torture.case import Server


class TlsContexts:
    """The context of a client that trusts one authority, and one for each kind of server."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        unknown = folder / "unknown"
        unknown.mkdir()
        self.client = authority.make_client_context()
        self._servers: dict[Server, ssl.SSLContext | None] = {
            "plain": None,
            "trusted": authority.make_server_context("127.0.0.1"),
            "other host": authority.make_server_context("service.test"),
            "expired": authority.make_server_context("127.0.0.1", days=0),
            "self-signed": _make_self_signed(folder / "self-signed.pem"),
            "unknown authority": Authority(unknown).make_server_context("127.0.0.1"),
        }

    def for_server(self, server: Server) -> ssl.SSLContext | None:
        """Return the context of such a server; None if it does not use TLS."""
        return self._servers[server]


def _make_self_signed(file: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
