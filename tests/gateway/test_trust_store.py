"""One trust store: keys, services on either transport and Redis trust the same certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from pydantic import HttpUrl, TypeAdapter

from gateway.auth.jwks.fetch import KeysUnavailable, fetch_key_set, open_client
from gateway.ratelimit.redis.redis_limiter import RedisLimiter, RedisLimiterState
from gateway.settings.schema import Issuer, Service, Settings, Tls
from gateway.settings.url_types import KeyUrl
from gateway.trust_store import (
    create_empty_context,
    create_ssl_context,
    load_ca_file,
    share_ssl_context,
)
from gateway.upstream.errors import UpstreamUnavailable
from gateway.upstream.open_client import create_transport
from gateway.upstream.open_client import open_client as open_service
from gateway.upstream.tls_settings import create_client_tls, find_tls_errors
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, encode_jwk_set, get_signing_key
from tests.gateway.ratelimit.redis.fake_redis_server import FakeRedisServer
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import OK, respond_and_close, serve_script
from tests.gateway.unreadable_folder import make_unreadable
from tests.gateway.upstream.example_client import ExampleClient

ITEM = OK + b'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"sku":"A"}'
DISTRUSTED = (KeysUnavailable, UpstreamUnavailable, ConnectionError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def fetch_keys(server: ssl.SSLContext, ca_file: Path | None) -> None:
    keys = encode_jwk_set(get_signing_key("ES256").jwk())
    response = OK + b"Content-Length: %d\r\n\r\n" % len(keys) + keys
    async with serve_script(respond_and_close(response), tls=server) as provider:
        url = TypeAdapter(KeyUrl).validate_python(provider.url)
        async with open_client(ca_file) as http:
            await fetch_key_set(http, Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=url), 5)


def call_service(kind: Literal["lockgate", "httpx"]) -> "Use":
    async def call(server: ssl.SSLContext, ca_file: Path | None) -> None:
        async with serve_script(respond_and_close(ITEM), tls=server) as orders:
            service = Service(url=HttpUrl(orders.url), transport=kind, connect_timeout=5)
            transport = create_transport(service, create_client_tls(service, ca_file))
            async with open_service(ExampleClient, service, transport) as client:
                await client.item("A")

    return call


@asynccontextmanager
async def run(limiter: RedisLimiter) -> AsyncIterator[None]:
    task = asyncio.create_task(limiter.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def connect_redis(server: ssl.SSLContext, ca_file: Path | None, options: str = "") -> None:
    async with FakeRedisServer(b"").open(tls=server) as redis:
        url = redis.url.replace("redis://", "rediss://") + options
        limiter = RedisLimiter(url, timeout=5, retry=60, ca_file=ca_file)
        async with run(limiter):
            await limiter.wait_first_attempt()
            if limiter.state is not RedisLimiterState.CONNECTED:
                raise ConnectionError(str(limiter))


Use = Callable[[ssl.SSLContext, Path | None], Awaitable[None]]
USES = pytest.mark.parametrize(
    "use",
    [fetch_keys, call_service("lockgate"), call_service("httpx"), connect_redis],
    ids=["keys", "service", "service over httpx", "Redis"],
)


@USES
async def test_a_private_ca_is_trusted_by_setting_only(use: Use, authority: Authority) -> None:
    server = authority.make_server_context("127.0.0.1")
    await use(server, authority.certificate_file)
    with pytest.raises(DISTRUSTED):
        await use(server, None)


@USES
async def test_ssl_cert_file_replaces_the_store_of_the_system(
    use: Use, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate_file))
    await use(authority.make_server_context("127.0.0.1"), None)


async def test_a_file_of_the_redis_url_wins(authority: Authority, tmp_path: Path) -> None:
    server = authority.make_server_context("127.0.0.1")
    other = Authority(tmp_path).certificate_file
    await connect_redis(server, other, f"?ssl_ca_certs={authority.certificate_file}")
    with pytest.raises(ConnectionError):
        await connect_redis(server, authority.certificate_file, f"?ssl_ca_certs={other}")


def test_certifi_stands_in_for_a_system_without_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ssl.get_default_verify_paths()._replace(cafile=None, capath=str(tmp_path))  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda _: None)
    assert create_ssl_context(None).cert_store_stats()["x509_ca"] > 50


def test_the_store_is_loaded_once_and_again_when_its_file_changes(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate_file.read_bytes())
    first = share_ssl_context(file)
    assert share_ssl_context(file) is first
    file.write_bytes(file.read_bytes() + Authority(tmp_path).certificate_file.read_bytes())
    assert len(share_ssl_context(file).get_ca_certs()) == len(first.get_ca_certs()) + 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"ca: true\n", "is not PEM: it has no line -----BEGIN CERTIFICATE-----"),
        (b"\x30\x82\x01", "is DER, not PEM: it has no line -----BEGIN CERTIFICATE-----"),
        (
            "key",
            "has a private key, but no certificate: it has no line -----BEGIN CERTIFICATE-----",
        ),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\n",
            "has something else, but no certificate: it has no line -----BEGIN CERTIFICATE-----",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "has a certificate that cannot be read: ",
        ),
    ],
)
def test_a_file_without_certificates_is_refused_in_words(
    content: bytes | str | None, reason: str, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content == "key":
        content = authority.issue("127.0.0.1")[1].read_bytes()
    if isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r".") as refused:
        load_ca_file(create_empty_context(), file)
    assert str(refused.value).startswith(reason)
    (error,) = find_tls_errors(Settings(tls=Tls(ca_file=file)))
    assert (error.path, error.message) == ("tls.ca_file", f"{file}: {refused.value}")


def test_a_wrong_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/etc:/nowhere")
    assert list(map(str, find_tls_errors(Settings()))) == [
        "SSL_CERT_FILE: /nowhere.pem: there is no such file",
        "SSL_CERT_DIR: /nowhere: there is no such directory",
    ]


def test_a_variable_that_leads_into_an_unreadable_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "certs"))
    (tmp_path / "certs").mkdir()
    with make_unreadable(tmp_path):
        [error] = find_tls_errors(Settings())
    assert str(error) == f"SSL_CERT_DIR: {tmp_path / 'certs'}: there is no such directory"


def test_empty_variables_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", "")
    assert find_tls_errors(Settings()) == []
    assert create_ssl_context(None).cert_store_stats()["x509_ca"] > 50
