"""Fetches an issuer's key set: from a file, from a JWKS URL, or through OIDC discovery."""

import asyncio
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from gateway.auth.jwks.key_file import read_key_file
from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, KeySet, parse_key_set
from gateway.auth.jwt import strict_json
from gateway.settings.schema import Issuer
from gateway.settings.setting_types import KeyUrl
from gateway.trust_store import share_ssl_context

_KEY_URL: TypeAdapter[KeyUrl] = TypeAdapter(KeyUrl)


class KeysUnavailable(Exception):
    """The keys could not be fetched; the message gives the reason, for the log."""


def open_client(ca_file: Path | None = None) -> httpx.AsyncClient:
    """Open the HTTP client for key sets: no redirects, and no proxy from the environment.

    `ca_file` has CAs to trust in addition to those of the system. Blocks while it reads them.

    Raises:
        ValueError: `ca_file` cannot be used.
    """
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        verify=share_ssl_context(ca_file),
        timeout=None,  # noqa: S113 - `fetch_key_set` has one deadline for everything
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    )


async def fetch_key_set(client: httpx.AsyncClient, issuer: Issuer, timeout: float) -> KeySet:  # noqa: ASYNC109 - one deadline for discovery and keys together
    """Fetch and parse the issuer's keys within `timeout` seconds, discovery included.

    Raises:
        KeysUnavailable: the document could not be fetched, or is not a usable key set.
    """
    try:
        async with asyncio.timeout(timeout):
            if issuer.jwks_file is not None:
                return await asyncio.to_thread(read_key_file, issuer.jwks_file, issuer.algorithms)
            return parse_key_set(await _load_document(client, issuer), issuer.algorithms)
    except TimeoutError as exc:
        raise KeysUnavailable(f"no complete response within {timeout:g} s") from exc
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
        raise KeysUnavailable(_describe_error(exc)) from exc


async def _load_document(client: httpx.AsyncClient, issuer: Issuer) -> bytes:
    if issuer.discovery_url is not None:
        metadata = await _get_body(client, str(issuer.discovery_url))
        return await _get_body(client, _read_jwks_uri(metadata, issuer.issuer))
    return await _get_body(client, str(issuer.jwks_url))


def _read_jwks_uri(document: bytes, issuer: str) -> str:
    """Read `jwks_uri` from a discovery document (OpenID Connect Discovery 1.0, section 4.3)."""
    metadata = strict_json.parse_object(document)
    if metadata.get("issuer") != issuer:
        raise ValueError(f"the discovery document has another issuer than {issuer}")
    try:
        return str(_KEY_URL.validate_python(metadata.get("jwks_uri")))
    except ValueError as exc:
        raise ValueError(
            "jwks_uri of the discovery document is not an https URL, or http on loopback"
        ) from exc


async def _get_body(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code} instead of 200")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("compressed response, although the request allows only identity")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"document of more than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(body)


def _describe_error(exc: Exception) -> str:
    return type(exc).__name__ if isinstance(exc, httpx.HTTPError) else str(exc)
