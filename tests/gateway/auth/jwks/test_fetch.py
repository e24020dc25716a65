"""Fetching key sets over a real socket, from providers that work and from faulty ones."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.auth.jwks.fetch import KeysUnavailable, fetch_key_set, open_client
from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, MAX_KEYS
from gateway.settings.schema import Issuer
from tests.gateway.auth.identity_provider import IdentityProvider, Responder, send_response
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, encode_jwk_set, get_signing_key
from tests.gateway.transport.addresses import black_hole, resolve_to

KEY = get_signing_key("ES256")


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    idp = IdentityProvider()
    idp.keys = [KEY]
    async with idp.serve():
        yield idp


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as client:
        yield client


def issuer(**source: Any) -> Issuer:
    return Issuer(issuer=ISSUER, audience=AUDIENCE, **source)


async def test_from_a_jwks_url(idp: IdentityProvider, http: httpx.AsyncClient) -> None:
    keys = await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)
    assert keys.ids == {"es256"}
    assert idp.requested_paths == ["/keys"]


async def test_through_discovery(idp: IdentityProvider, http: httpx.AsyncClient) -> None:
    keys = await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)
    assert keys.ids == {"es256"}
    assert idp.requested_paths == ["/.well-known/openid-configuration", "/keys"]


async def test_from_a_file(tmp_path: Path, http: httpx.AsyncClient) -> None:
    path = tmp_path / "fetch.json"
    path.write_bytes(encode_jwk_set(KEY.jwk()))
    assert (await fetch_key_set(http, issuer(jwks_file=path), 2)).ids == {"es256"}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 1},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://id.example.test/keys"},
        {"jwks_uri": "http://127.0.0.1.example.test/keys"},
        {"jwks_uri": "http://127.0.0.1@example.test/keys"},
    ],
    ids=str,
)
async def test_a_discovery_document_that_is_not_trusted(
    idp: IdentityProvider, http: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    async def respond(_path: str, writer: asyncio.StreamWriter) -> None:
        await send_response(writer, idp.metadata(**change))

    idp.respond = respond
    with pytest.raises(KeysUnavailable):
        await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)
    assert len(idp.requested_paths) == 1


VALID = encode_jwk_set(KEY.jwk())


def _respond_with(body: bytes, status: str = "200 OK", *headers: str) -> Responder:
    async def respond(_path: str, writer: asyncio.StreamWriter) -> None:
        await send_response(writer, body, status, *headers)

    return respond


async def _hang(_path: str, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _drip(_path: str, writer: asyncio.StreamWriter) -> None:
    """Send a byte every 20 ms: no read timeout ever expires, and the body never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _flood(_path: str, writer: asyncio.StreamWriter) -> None:
    """Send a body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        await writer.drain()


async def _close_early(_path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    await writer.drain()


FAULTY: dict[str, Responder] = {
    "hangs": _hang,
    "drips": _drip,
    "floods": _flood,
    "closes early": _close_early,
    "is not an HTTP server": lambda _path, writer: _send_raw(
        writer, b"SSH-2.0-OpenSSH_9.9\r\n\r\n"
    ),
    "sends nothing": lambda _path, writer: _send_raw(writer, b""),
    "sends endless headers": lambda _p, w: _send_raw(w, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000),
    "500": _respond_with(VALID, "500 Internal Server Error"),
    "503": _respond_with(VALID, "503 Service Unavailable"),
    "404": _respond_with(VALID, "404 Not Found"),
    "204": _respond_with(b"", "204 No Content"),
    "302 to another host": _respond_with(VALID, "302 Found", "Location: http://169.254.169.254/"),
    "a body too large": _respond_with(VALID + b" " * MAX_DOCUMENT_BYTES),
    "a compression bomb": _respond_with(
        gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip"
    ),
    "empty": _respond_with(b""),
    "HTML": _respond_with(b"<html>Sign in to the wireless network</html>"),
    "not UTF-8": _respond_with(b'{"keys":["\xff"]}'),
    "a list": _respond_with(b"[]"),
    "no keys member": _respond_with(b"{}"),
    "keys null": _respond_with(b'{"keys":null}'),
    "keys an object": _respond_with(b'{"keys":{"kid":{}}}'),
    "keys twice": _respond_with(b'{"keys":[],"keys":[]}'),
    "too many keys": _respond_with(
        encode_jwk_set(*[KEY.jwk(kid=str(kid)) for kid in range(MAX_KEYS + 1)])
    ),
    "nested": _respond_with(b'{"keys":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
}


async def _send_raw(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


@pytest.mark.parametrize("name", FAULTY)
async def test_a_faulty_provider(idp: IdentityProvider, http: httpx.AsyncClient, name: str) -> None:
    idp.respond = FAULTY[name]
    async with asyncio.timeout(10):
        with pytest.raises(KeysUnavailable):
            await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 0.3)
    assert idp.requested_paths == ["/keys"]


async def test_a_page_instead_of_keys_is_named(
    idp: IdentityProvider, http: httpx.AsyncClient
) -> None:
    idp.respond = _respond_with(b"<html>Sign in</html>", "200 OK", "Content-Type: text/html")
    with pytest.raises(KeysUnavailable) as failed:
        await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)
    expected = f"{idp.jwks_url} (text/html): the document is not JSON: Expecting value"
    assert str(failed.value).startswith(expected)


@pytest.mark.parametrize("source", ["jwks_url", "discovery_url"])
async def test_a_url_that_does_not_respond_is_named(
    idp: IdentityProvider, http: httpx.AsyncClient, source: str
) -> None:
    idp.respond = _hang
    with pytest.raises(KeysUnavailable) as failed:
        await fetch_key_set(http, issuer(**{source: getattr(idp, source)}), 0.05)
    assert str(failed.value) == f"{getattr(idp, source)}: no complete response within 0.05 s"


@pytest.mark.parametrize(
    ("source", "swapped", "message"),
    [
        ("jwks_url", "discovery_url", "it is a discovery document: set discovery_url to its URL"),
        ("discovery_url", "jwks_url", "it is a JWK Set, not a discovery document: set jwks_url"),
    ],
)
async def test_the_url_of_the_other_document_is_recognized(
    idp: IdentityProvider, http: httpx.AsyncClient, source: str, swapped: str, message: str
) -> None:
    with pytest.raises(KeysUnavailable, match=message):
        await fetch_key_set(http, issuer(**{source: getattr(idp, swapped)}), 2)


async def test_a_jwks_uri_without_tls_is_refused_with_the_setting_for_another(
    idp: IdentityProvider, http: httpx.AsyncClient
) -> None:
    idp.respond = _respond_with(idp.metadata(jwks_uri="http://id.example.test/keys"))
    with pytest.raises(KeysUnavailable, match="set jwks_url to it"):
        await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)


@pytest.mark.parametrize(
    ("status", "field", "seconds"),
    [
        ("503 Busy", "Retry-After: 17", 17),
        ("429 Slow Down", "Retry-After: 17", 17),
        ("503 Busy", "X: 1", None),
        ("500 Oops", "Retry-After: 17", None),
    ],
)
async def test_a_provider_may_demand_a_pause(
    idp: IdentityProvider, http: httpx.AsyncClient, status: str, field: str, seconds: float | None
) -> None:
    idp.respond = _respond_with(b"", status, field)
    with pytest.raises(KeysUnavailable, match=f"status {status[:3]} instead of 200") as failed:
        await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)
    assert failed.value.retry_after == seconds


async def test_a_refused_connection(http: httpx.AsyncClient) -> None:
    with pytest.raises(KeysUnavailable, match="/keys: the connection was refused"):
        await fetch_key_set(http, issuer(jwks_url="http://127.0.0.1:1/keys"), 2)


async def test_the_request_says_who_asks(idp: IdentityProvider, http: httpx.AsyncClient) -> None:
    await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)
    (head,) = idp.request_heads
    assert f"\r\nUser-Agent: lockgate/{version('lockgate')}\r\n".encode() in head


PUBLISHED = {
    "no keys": (b'{"keys":[]}', set()),
    "unusable keys": (b'{"keys":[1,null,"x",[],{},{"kid":"x"},{"kty":[]}]}', set()),
    "a byte order mark": (b"\xef\xbb\xbf" + VALID, {"es256"}),
    "over 100 keys": (
        encode_jwk_set(*[KEY.jwk(kid=str(kid)) for kid in range(250)]),
        {str(kid) for kid in range(250)},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
async def test_unusual_key_sets(idp: IdentityProvider, http: httpx.AsyncClient, name: str) -> None:
    body, ids = PUBLISHED[name]
    idp.respond = _respond_with(body)
    assert (await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)).ids == ids


@pytest.mark.parametrize(
    ("metadata", "expected", "message"),
    [
        ({"issuer": ISSUER + "/"}, ISSUER, "; they differ in the last slash"),
        ({"issuer": "https://other.test"}, ISSUER, ""),
        (
            {"issuer": "https://id.example.test/{tenantid}/v2.0"},
            "https://id.example.test/t1/v2.0",
            "; set issuer to that text and list tenants, or use the URL of one tenant",
        ),
    ],
)
async def test_another_issuer_in_the_discovery_document_is_named(
    idp: IdentityProvider,
    http: httpx.AsyncClient,
    metadata: dict[str, Any],
    expected: str,
    message: str,
) -> None:
    idp.respond = _respond_with(idp.metadata(**metadata))
    trusted = Issuer.model_validate(
        {"issuer": expected, "audience": AUDIENCE, "discovery_url": idp.discovery_url}
    )
    with pytest.raises(KeysUnavailable) as raised:
        await fetch_key_set(http, trusted, 2)
    assert str(raised.value) == (
        f"{idp.discovery_url} (no content type): "
        f'the discovery document has the issuer "{metadata["issuer"]}"; '
        f'the setting issuer is "{expected}"{message}'
    )


@pytest.mark.parametrize("changes", [{}, {"issuer": "x", "access_token_issuer": ISSUER}])
async def test_a_discovery_document_with_a_byte_order_mark(
    idp: IdentityProvider, http: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    async def respond(path: str, writer: asyncio.StreamWriter) -> None:
        body = VALID if path == "/keys" else idp.metadata(**changes)
        await send_response(writer, b"\xef\xbb\xbf" + body)

    idp.respond = respond
    assert await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)


@pytest.fixture
async def proxied() -> AsyncIterator[list[bytes]]:
    """The first lines that a proxy has received, at the URL that its first entry is."""
    lines: list[bytes] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
        await send_response(writer, b"", "502 Bad Gateway")
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    lines.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}".encode())
    async with server:
        yield lines


@pytest.mark.parametrize("is_in_settings", [True, False])
async def test_keys_are_fetched_through_a_proxy_by_setting(
    proxied: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    idp: IdentityProvider,
    *,
    is_in_settings: bool,
) -> None:
    url = proxied[0].decode()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1" if is_in_settings else url)
    async with open_client(proxy=url if is_in_settings else "environment") as http:
        with pytest.raises(KeysUnavailable, match="the proxy refused the connection: 502"):
            await fetch_key_set(http, issuer(jwks_url="https://id.example.test/keys"), 2)
        assert proxied[1:] == [b"CONNECT id.example.test:443 HTTP/1.1"]
        assert await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)  # loopback: no proxy


async def test_no_proxy_of_the_environment_counts(
    proxied: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxied[0].decode())
    monkeypatch.setenv("NO_PROXY", "localhost")
    async with open_client(proxy="environment") as http:
        with pytest.raises(KeysUnavailable, match="the connection was refused"):
            await fetch_key_set(http, issuer(jwks_url="https://localhost:1/keys"), 2)
    assert len(proxied) == 1


async def test_a_first_address_that_does_not_respond(
    idp: IdentityProvider, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "::1", "127.0.0.1", name="localhost")
    port = int(idp.origin.rpartition(":")[2])
    with black_hole("::1", port):
        keys = await fetch_key_set(http, issuer(jwks_url=f"http://localhost:{port}/keys"), 5)
    assert keys.ids == {"es256"}


async def test_proxies_of_the_environment_are_ignored(
    idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with open_client() as http:
        assert await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)


@pytest.mark.parametrize("content", [None, b"", b"{", b" " * (MAX_DOCUMENT_BYTES + 1)])
async def test_a_file_without_keys(
    tmp_path: Path, http: httpx.AsyncClient, content: bytes | None
) -> None:
    path = tmp_path / "fetch.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeysUnavailable):
        await fetch_key_set(http, issuer(jwks_file=path), 2)
