"""Client certificates, CAs of one service, and files that change, on both transports."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from gateway.open_clients import open_clients
from gateway.resources import Resources
from gateway.settings.schema import Service, Settings
from gateway.transport.tls import ClientTls, InvalidTlsFile, TlsFiles
from gateway.upstream.errors import UpstreamError, UpstreamUnavailable
from gateway.upstream.open_client import create_transport, open_client
from gateway.upstream.tls_settings import create_client_tls, find_tls_errors
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import OK, Peer, ScriptedServer, serve_script
from tests.gateway.upstream.example_client import ExampleClient

Kind = Literal["lockgate", "httpx"]
ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n"

KINDS = pytest.mark.parametrize("kind", ["lockgate", "httpx"])


class MutualTls:
    """A server that requires a client certificate, and records the names in those it gets."""

    def __init__(self, authority: Authority, host: str = "127.0.0.1") -> None:
        self.clients: list[str] = []
        self.server_names: list[str | None] = []
        self.context = authority.make_server_context(host)
        self.context.load_verify_locations(authority.certificate_file)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = lambda _, name, __: self.server_names.append(name)

    async def __call__(self, peer: Peer) -> None:
        subject = peer.writer.get_extra_info("peercert")["subject"]
        self.clients.append(subject[0][0][1])
        await peer.read_request()
        peer.send(ITEM + b'Connection: close\r\n\r\n{"sku":"A"}')

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[ScriptedServer]:
        """Listen until the end of the block."""
        async with serve_script(self, tls=self.context) as server:
            yield server


def list_files(authority: Authority, certificate: Path, key: Path) -> dict[str, Path]:
    """Return the settings of a service that trusts the authority, and needs the certificate."""
    return {
        "ca_file": authority.certificate_file,
        "client_certificate_file": certificate,
        "client_key_file": key,
    }


def make_client(kind: Kind, url: str, **tls: Any) -> ExampleClient:
    service = Service.model_validate(
        {"url": url, "transport": kind, "connect_timeout": 5, "timeout": 5, "tls": tls}
    )
    return open_client(ExampleClient, service)


@KINDS
@pytest.mark.parametrize("password", [None, "s3cret"])
async def test_a_service_gets_the_certificate_of_the_gateway(
    kind: Kind, password: str | None, authority: Authority
) -> None:
    certificate, key = authority.issue("gateway.internal", password=password)
    server = MutualTls(authority)
    async with (
        server.serve() as service,
        make_client(
            kind,
            service.url,
            **list_files(authority, certificate, key),
            client_key_password=password,
        ) as client,
    ):
        await client.item("A")
    assert server.clients == ["gateway.internal"]


@KINDS
async def test_without_a_certificate_the_service_refuses(kind: Kind, authority: Authority) -> None:
    async with (
        MutualTls(authority).serve() as service,
        make_client(kind, service.url, ca_file=authority.certificate_file) as client,
    ):
        with pytest.raises(UpstreamUnavailable):
            await client.item("A")


@KINDS
async def test_the_ca_of_a_service_replaces_all_others(
    kind: Kind, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("gateway.internal")
    files = list_files(Authority(tmp_path), certificate, key)
    server = MutualTls(authority)
    async with server.serve() as running:
        service = Service.model_validate({"url": running.url, "transport": kind, "tls": files})
        tls = create_client_tls(service, authority.certificate_file)
        async with open_client(ExampleClient, service, create_transport(service, tls)) as client:
            with pytest.raises(UpstreamUnavailable):
                await client.item("A")
    assert server.clients == []


@KINDS
async def test_the_name_in_the_certificate_may_differ_from_the_host(
    kind: Kind, authority: Authority
) -> None:
    certificate, key = authority.issue("gateway.internal")
    files = list_files(authority, certificate, key)
    server = MutualTls(authority, "orders.internal")
    async with server.serve() as service:
        async with make_client(kind, service.url, **files) as client:
            with pytest.raises(UpstreamError):
                await client.item("A")
        name = "orders.internal"
        async with make_client(kind, service.url, server_name=name, **files) as client:
            await client.item("A")
    assert server.server_names[-1] == name


@KINDS
async def test_a_new_certificate_is_used_without_a_restart(
    kind: Kind, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.httpx_transport.CHECK_SECONDS", 0)
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def install(name: str) -> None:
        for target, source in zip((certificate, key), authority.issue(name), strict=True):
            target.unlink(missing_ok=True)
            target.write_bytes(source.read_bytes())

    install("first.internal")
    server = MutualTls(authority)
    async with (
        server.serve() as service,
        make_client(kind, service.url, **list_files(authority, certificate, key)) as client,
    ):
        await client.item("A")
        install("second.internal")
        await client.item("A")
        # Only one file of two has been replaced yet: the last pair stays in use.
        certificate.write_bytes(authority.issue("third.internal")[0].read_bytes())
        await client.item("A")
        certificate.unlink()
        await client.item("A")
    assert server.clients == ["first.internal"] + ["second.internal"] * 3


def test_files_that_cannot_be_loaded_again_are_reported_once(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate_file.read_bytes())
    errors: list[InvalidTlsFile] = []
    tls = ClientTls(TlsFiles(ca_file=file), on_error=errors.append)
    first = tls.load_context()
    file.write_bytes(b"")
    assert tls.load_context() is first
    assert tls.load_context() is first
    assert [(error.name, str(error)) for error in errors] == [("ca_file", "is empty")]
    file.write_bytes(authority.certificate_file.read_bytes())
    assert tls.load_context() is not first


def find_errors(**tls: Any) -> list[str]:
    service = Service.model_validate({"url": "https://orders.internal", "tls": tls})
    errors = find_tls_errors(Settings(upstreams={"orders": service}))
    return [
        f"{error.path} {error.message}".removeprefix("upstreams.orders.tls.") for error in errors
    ]


def test_mistakes_in_files_are_found(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("gateway.internal")
    other_key = authority.issue("gateway.internal")[1]
    both, corrupt = tmp_path / "both.pem", tmp_path / "corrupt.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    corrupt.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def find(certificate: Path, key: Path | None = None) -> list[str]:
        return find_errors(client_certificate_file=certificate, client_key_file=key)

    assert find(both) == []
    assert find(certificate, key) == []
    no_key = f"client_certificate_file {certificate}: has no private key: set client_key_file"
    assert find(certificate) == [no_key]
    mismatch = f"client_key_file {other_key}: has a key that does not fit the certificate"
    assert find(certificate, other_key) == [mismatch]
    (message,) = find(key, key)
    assert message.startswith(f"client_certificate_file {key}: has a private key, but no cert")
    assert find(certificate, certificate) == [f"client_key_file {certificate}: has no private key"]
    missing = tmp_path / "no.pem"
    assert find(missing, key) == [f"client_certificate_file {missing}: there is no such file"]
    (message,) = find(corrupt, key)
    assert message.startswith(f"client_certificate_file {corrupt}: ")


def test_mistakes_with_a_password_are_found(authority: Authority) -> None:
    certificate, key = authority.issue("gateway.internal", password="s3cret")
    files = {"client_certificate_file": certificate, "client_key_file": key}
    assert find_errors(**files, client_key_password="s3cret") == []
    required = "client_key_password is required: the key in client_key_file is encrypted"
    assert find_errors(**files) == [required]
    wrong = "client_key_password does not decrypt the key in client_key_file"
    assert find_errors(**files, client_key_password="hunter2") == [wrong]


async def test_an_expired_certificate_is_logged(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = authority.issue("gateway.internal", days=0)
    tls = {"client_certificate_file": certificate, "client_key_file": key}
    service = Service.model_validate({"url": "https://orders.internal", "tls": tls})
    settings = Settings(upstreams={"orders": service})
    async with open_clients(settings, {"orders": ExampleClient}, {}, Resources()):
        pass
    (record,) = caplog.records
    assert record.msg == "tls.certificate_expired"


@KINDS
async def test_the_first_calls_at_the_same_time_all_use_the_certificates(
    kind: Kind, authority: Authority
) -> None:
    certificate, key = authority.issue("gateway.internal")
    files = list_files(authority, certificate, key)
    server = MutualTls(authority)
    async with server.serve() as service, make_client(kind, service.url, **files) as client:
        await asyncio.gather(*(client.item("A") for _ in range(3)))
    assert server.clients == ["gateway.internal"] * 3


async def test_a_certificate_that_only_openssl_can_parse_does_not_prevent_the_start(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = authority.issue("gateway.internal")
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(certificate.read_text().replace("CERTIFICATE", "TRUSTED CERTIFICATE"))
    assert find_errors(client_certificate_file=trusted, client_key_file=key) == []
    tls = {"client_certificate_file": trusted, "client_key_file": key}
    service = Service.model_validate({"url": "https://orders.internal", "tls": tls})
    settings = Settings(upstreams={"orders": service})
    async with open_clients(settings, {"orders": ExampleClient}, {}, Resources()):
        pass
    assert caplog.records == []
