"""Fetches an issuer's key set: from a file, from a JWKS URL, or through OIDC discovery."""

import asyncio
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from json import JSONDecodeError
from pathlib import Path

import httpx
from pydantic import JsonValue, TypeAdapter

from gateway.auth.jwks.document import Document, DocumentUnavailable, get_document
from gateway.auth.jwks.fetch_error import show_url
from gateway.auth.jwks.key_file import read_key_file
from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, KeySet, parse_key_set
from gateway.auth.jwks.proxy_transport import ProxyTransport
from gateway.auth.jwt import strict_json
from gateway.auth.jwt.refusal import show
from gateway.settings.errors import ConfigError
from gateway.settings.issuer_types import TENANT_PLACEHOLDER
from gateway.settings.schema import Issuer
from gateway.settings.url_types import ENVIRONMENT, KeyUrl
from gateway.trust_store import share_ssl_context

_KEY_URL: TypeAdapter[KeyUrl] = TypeAdapter(KeyUrl)

_HEADERS = {
    "Accept": "application/json, application/jwk-set+json",
    "Accept-Encoding": "identity",
    "User-Agent": f"lockgate/{version('lockgate')}",
}
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


# Preparing a key takes 0.5 ms, and most fetches return the same document.
_parse_cached = lru_cache(maxsize=16)(parse_key_set)


class KeysUnavailable(Exception):
    """The keys could not be fetched; the message gives the reason, for the log.

    `retry_after` is the number of seconds that the provider asks to be left alone, or None.
    """

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def open_client(ca_file: Path | None = None, *, proxy: str | None = None) -> httpx.AsyncClient:
    """Open the HTTP client for key sets.

    `ca_file` has CAs to trust in addition to those of the system. `proxy` is the URL of a proxy,
    or "environment" for HTTPS_PROXY, HTTP_PROXY and NO_PROXY. Loopback addresses are called
    without the proxy. Blocks while it reads the CA certificates.

    Raises:
        ValueError: `ca_file` or `proxy` cannot be used.
    """
    context = share_ssl_context(ca_file)
    mounts = dict[str, httpx.AsyncBaseTransport | None]()
    if proxy is not None and proxy != ENVIRONMENT:
        mounts["all://"] = ProxyTransport(proxy=proxy, verify=context)
    return httpx.AsyncClient(
        follow_redirects=False,  # `get_document` follows those within one origin
        trust_env=proxy == ENVIRONMENT,
        mounts={**dict.fromkeys(_LOOPBACK), **mounts},
        verify=context,
        timeout=None,  # noqa: S113 - `fetch_key_set` has one deadline for everything
        headers=_HEADERS,
    )


def find_proxy_errors(proxy: str | None) -> list[ConfigError]:
    """Return the error of a proxy, of the settings or of the environment, that cannot be used.

    Blocks while it reads the CA certificates.
    """
    if proxy is None:
        return []
    try:
        open_client(proxy=proxy)
    except (ImportError, ValueError, httpx.InvalidURL):
        # The message of the exception may quote a password.
        place = "of the environment (HTTPS_PROXY, ALL_PROXY)" if proxy == ENVIRONMENT else "URL"
        message = f"the proxy {place} cannot be used"
        return [ConfigError("tokens.keys_proxy", message, "it must begin with http://")]
    return []


async def fetch_key_set(client: httpx.AsyncClient, issuer: Issuer, timeout: float) -> KeySet:  # noqa: ASYNC109 - one deadline for discovery and keys together
    """Fetch and parse the issuer's keys within `timeout` seconds, discovery included.

    Raises:
        KeysUnavailable: the document could not be fetched, or is not a usable key set.
    """
    try:
        if issuer.jwks_file is not None:
            return await asyncio.to_thread(read_key_file, issuer.jwks_file, issuer.algorithms)
        document = await _load_document(client, issuer, timeout)
        # In a thread: the keys of a large set take longer than a request.
        parsing = asyncio.to_thread(_parse_cached, document.body, issuer.algorithms)
        with _name_source(document):
            return await parsing
    except DocumentUnavailable as exc:
        raise KeysUnavailable(str(exc), exc.retry_after) from exc
    except (OSError, ValueError) as exc:
        raise KeysUnavailable(str(exc)) from exc


async def _load_document(client: httpx.AsyncClient, issuer: Issuer, seconds: float) -> Document:
    """Load the key set. `seconds` are for all requests together."""
    ends_at = asyncio.get_running_loop().time() + seconds

    async def get(url: str) -> Document:
        try:
            async with asyncio.timeout_at(ends_at):
                return await get_document(client, url, MAX_DOCUMENT_BYTES)
        except TimeoutError as exc:
            reason = f"no complete response within {seconds:g} s"
            raise DocumentUnavailable(f"{show_url(httpx.URL(url))}: {reason}") from exc

    if issuer.discovery_url is None:
        return await get(str(issuer.jwks_url))
    metadata = await get(str(issuer.discovery_url))
    with _name_source(metadata):
        jwks_uri = _read_jwks_uri(metadata.body, issuer.issuer)
    return await get(jwks_uri)


@contextmanager
def _name_source(document: Document) -> Iterator[None]:
    """Add the URL and the content type of a document to the reason why it cannot be used."""
    try:
        yield
    except (JSONDecodeError, UnicodeDecodeError) as exc:
        raise ValueError(f"{document.source}: the document is not JSON: {exc}") from exc
    except ValueError as exc:
        raise ValueError(f"{document.source}: {exc}") from exc


def _read_jwks_uri(document: bytes, issuer: str) -> str:
    """Read `jwks_uri` from a discovery document (OpenID Connect Discovery 1.0, section 4.3).

    AD FS publishes the issuer of its access tokens as `access_token_issuer`.
    """
    metadata = strict_json.parse_object(document.removeprefix(BOM_UTF8))
    if isinstance(metadata.get("keys"), list) and "jwks_uri" not in metadata:
        raise ValueError("it is a JWK Set, not a discovery document: set jwks_url to this URL")
    published = metadata.get("issuer")
    if issuer not in (published, metadata.get("access_token_issuer")):
        raise ValueError(_describe_other_issuer(issuer, published))
    try:
        return str(_KEY_URL.validate_python(metadata.get("jwks_uri")))
    except ValueError as exc:
        raise ValueError(
            f"jwks_uri of the discovery document is {show(metadata.get('jwks_uri'))}; "
            "it must be an https URL, or http on loopback; "
            "if the keys are at such a URL too, set jwks_url to it"
        ) from exc


def _describe_other_issuer(expected: str, published: JsonValue) -> str:
    hint = ""
    if isinstance(published, str):
        if published.rstrip("/") == expected.rstrip("/"):
            hint = "; they differ in the last slash"
        elif TENANT_PLACEHOLDER in published:
            hint = "; set issuer to that text and list tenants, or use the URL of one tenant"
    return (
        f"the discovery document has the issuer {show(published)}; "
        f"the setting issuer is {show(expected)}{hint}"
    )
