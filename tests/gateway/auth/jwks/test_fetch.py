"""Keys over a real socket, from providers that mean well and from those that do not."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.auth.jwks.fetch import KeysUnavailable, fetch_key_set, open_client
from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, MAX_KEYS
from gateway.settings.schema import Issuer
from tests.gateway.auth.identity_provider import Behaviour, IdentityProvider, answer
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, encode_jwk_set, get_signing_key

KEY = get_signing_key("ES256")


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    idp = IdentityProvider()
    idp.keys = [KEY]
    async with idp.serving():
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
    assert idp.asked == ["/keys"]


async def test_by_discovery(idp: IdentityProvider, http: httpx.AsyncClient) -> None:
    keys = await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)
    assert keys.ids == {"es256"}
    assert idp.asked == ["/.well-known/openid-configuration", "/keys"]


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
async def test_a_discovery_document_that_leads_astray(
    idp: IdentityProvider, http: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    async def astray(_path: str, writer: asyncio.StreamWriter) -> None:
        await answer(writer, idp.metadata(**change))

    idp.behave = astray
    with pytest.raises(KeysUnavailable):
        await fetch_key_set(http, issuer(discovery_url=idp.discovery_url), 2)
    assert len(idp.asked) == 1


GOOD = encode_jwk_set(KEY.jwk())


def _saying(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    async def behave(_path: str, writer: asyncio.StreamWriter) -> None:
        await answer(writer, body, status, *headers)

    return behave


async def _hanging(_path: str, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _dripping(_path: str, writer: asyncio.StreamWriter) -> None:
    """Never silent long enough for a read timeout, never done."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _flooding(_path: str, writer: asyncio.StreamWriter) -> None:
    """A body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        await writer.drain()


async def _hanging_up(_path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    await writer.drain()


BAD: dict[str, Behaviour] = {
    "hangs": _hanging,
    "drips": _dripping,
    "floods": _flooding,
    "hangs up": _hanging_up,
    "speaks no HTTP": lambda _path, writer: _raw(writer, b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "says nothing": lambda _path, writer: _raw(writer, b""),
    "sends endless headers": lambda _p, w: _raw(w, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000),
    "500": _saying(GOOD, "500 Internal Server Error"),
    "503": _saying(GOOD, "503 Service Unavailable"),
    "404": _saying(GOOD, "404 Not Found"),
    "204": _saying(b"", "204 No Content"),
    "301": _saying(GOOD, "301 Moved Permanently", "Location: /elsewhere"),
    "302 to another host": _saying(GOOD, "302 Found", "Location: http://169.254.169.254/"),
    "307": _saying(GOOD, "307 Temporary Redirect", "Location: /keys"),
    "a body too large": _saying(GOOD + b" " * MAX_DOCUMENT_BYTES),
    "compressed": _saying(gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip"),
    "a bomb": _saying(gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip"),
    "empty": _saying(b""),
    "HTML": _saying(b"<html>Sign in to the wireless network</html>"),
    "not UTF-8": _saying(b'{"keys":["\xff"]}'),
    "a list": _saying(b"[]"),
    "no keys member": _saying(b"{}"),
    "keys null": _saying(b'{"keys":null}'),
    "keys an object": _saying(b'{"keys":{"kid":{}}}'),
    "no keys": _saying(b'{"keys":[]}'),
    "keys of no use": _saying(b'{"keys":[1,null,"x",[],{},{"kid":"x"},{"kty":[]}]}'),
    "keys named twice": _saying(b'{"keys":[],"keys":[]}'),
    "too many keys": _saying(
        encode_jwk_set(*[KEY.jwk(kid=str(kid)) for kid in range(MAX_KEYS + 1)])
    ),
    "nested": _saying(b'{"keys":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
}


async def _raw(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


@pytest.mark.parametrize("name", BAD)
async def test_a_provider_that_misbehaves(
    idp: IdentityProvider, http: httpx.AsyncClient, name: str
) -> None:
    idp.behave = BAD[name]
    async with asyncio.timeout(10):
        with pytest.raises(KeysUnavailable):
            await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 0.3)
    assert idp.asked == ["/keys"]


async def test_nobody_listens(http: httpx.AsyncClient) -> None:
    with pytest.raises(KeysUnavailable, match="ConnectError"):
        await fetch_key_set(http, issuer(jwks_url="http://127.0.0.1:1/keys"), 2)


async def test_the_environment_is_not_asked_for_a_proxy(
    idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with open_client() as http:
        assert await fetch_key_set(http, issuer(jwks_url=idp.jwks_url), 2)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b'{"keys":[]}', b" " * (MAX_DOCUMENT_BYTES + 1)]
)
async def test_a_file_that_holds_no_keys(
    tmp_path: Path, http: httpx.AsyncClient, content: bytes | None
) -> None:
    path = tmp_path / "fetch.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeysUnavailable):
        await fetch_key_set(http, issuer(jwks_file=path), 2)
