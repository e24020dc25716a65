"""Fetching a provider's keys: from a file, from its JWK Set, or by way of OIDC discovery."""

import asyncio
import ssl
from functools import cache
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from gateway.auth.jwks import key_set
from gateway.auth.jwks.key_set import MAX_BYTES, KeySet
from gateway.auth.jwt import strict_json
from gateway.settings.schema import Issuer, KeyUrl

_KEY_URL: TypeAdapter[KeyUrl] = TypeAdapter(KeyUrl)


class KeysUnavailable(Exception):
    """The keys could not be had; says why, for the log."""


def open_client() -> httpx.AsyncClient:
    """A client that goes where it is told and nowhere else."""
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        verify=_tls(),
        timeout=None,  # noqa: S113 - each fetch has one deadline over all of it
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    )


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than all else at start: once is enough."""
    return httpx.create_ssl_context(trust_env=False)


async def fetch(client: httpx.AsyncClient, issuer: Issuer, timeout: float) -> KeySet:  # noqa: ASYNC109 - the deadline of the whole, discovery included
    """The issuer's keys, within `timeout` seconds.

    Raises:
        KeysUnavailable: they could not be had, or are not keys.
    """
    try:
        async with asyncio.timeout(timeout):
            return key_set.read(await _document(client, issuer), issuer.algorithms)
    except TimeoutError as exc:
        raise KeysUnavailable("no answer in time") from exc
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
        raise KeysUnavailable(_why(exc)) from exc


async def _document(client: httpx.AsyncClient, issuer: Issuer) -> bytes:
    if issuer.jwks_file is not None:
        return await asyncio.to_thread(_read, issuer.jwks_file)
    if issuer.discovery_url is not None:
        found = await _get(client, str(issuer.discovery_url))
        return await _get(client, _keys_url(found, issuer.issuer))
    return await _get(client, str(issuer.jwks_url))


def _keys_url(document: bytes, issuer: str) -> str:
    """Where the keys are (OpenID Connect Discovery 1.0, section 4.3)."""
    metadata = strict_json.parse_object(document)
    if metadata.get("issuer") != issuer:
        raise ValueError("the discovery document is of another issuer")
    try:
        return str(_KEY_URL.validate_python(metadata.get("jwks_uri")))
    except ValueError as exc:
        raise ValueError("jwks_uri is no URL that keys may come from") from exc


async def _get(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("compressed, though nobody asked for it")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
        return bytes(body)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        document = file.read(MAX_BYTES + 1)
    if len(document) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    return document


def _why(exc: Exception) -> str:
    return type(exc).__name__ if isinstance(exc, httpx.HTTPError) else str(exc)
