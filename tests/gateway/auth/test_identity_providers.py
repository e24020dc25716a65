"""Tokens and key sets of real providers, under the settings that their pages show."""

import json
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.auth.jwks.fetch import fetch_key_set
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer, Tokens
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.gateway.auth.providers.auth0 import AUTH0
from tests.gateway.auth.providers.cognito import COGNITO, COGNITO_ID_TOKENS
from tests.gateway.auth.providers.entra_id import ONE_TENANT, SEVERAL_TENANTS, VERSION_1
from tests.gateway.auth.providers.further import PROVIDERS
from tests.gateway.auth.providers.google import GOOGLE
from tests.gateway.auth.providers.keycloak import KEYCLOAK
from tests.gateway.auth.providers.okta import OKTA
from tests.gateway.auth.providers.provider import Accepted, Provider, Refused
from tests.gateway.auth.token_factory import SigningKey, encode_jwk_set, make_token

PAGES = ROOT / "docs" / "how-to" / "identity-providers"
ALL = [
    KEYCLOAK,
    AUTH0,
    ONE_TENANT,
    SEVERAL_TENANTS,
    VERSION_1,
    COGNITO,
    COGNITO_ID_TOKENS,
    GOOGLE,
    OKTA,
    *PROVIDERS,
]
TOKENS = [(provider, token) for provider in ALL for token in provider.tokens]


def read_settings(provider: Provider) -> dict[str, Any]:
    """Return the settings of the page's block."""
    if not provider.page:
        return provider.settings
    blocks = [block for block in parse_blocks(PAGES / provider.page) if block.language == "toml"]
    (issuer,) = tomllib.loads(blocks[provider.block].text)["issuers"]
    return dict(issuer)


@asynccontextmanager
async def open_provider(provider: Provider, folder: Path) -> AsyncIterator[TokenVerifier]:
    """Open a verifier with the settings of the page, but with the keys in a file."""
    keys = folder / "keys.json"
    keys.write_bytes(encode_jwk_set(*provider.jwks))
    settings = {**read_settings(provider), "jwks_file": keys}
    settings.pop("discovery_url", None)
    settings.pop("jwks_url", None)
    tokens = Tokens(keys_cooldown_seconds=0.001)
    async with open_verifier([Issuer.model_validate(settings)], tokens) as verifier:
        yield verifier


def sign(provider: Provider, token: Accepted | Refused) -> str:
    """Sign a token with the header that the provider uses."""
    header = {"typ": ..., **provider.header, **token.header}
    key = SigningKey(provider.key.kid, provider.key.alg, provider.key.private)
    return make_token(token.claims, header, key=key)


def name_of(value: object) -> str:
    return value.name if isinstance(value, Provider | Accepted | Refused) else str(value)


@pytest.mark.parametrize(("provider", "token"), TOKENS, ids=name_of)
async def test_a_token(tmp_path: Path, provider: Provider, token: Accepted | Refused) -> None:
    async with open_provider(provider, tmp_path) as verifier:
        if isinstance(token, Accepted):
            principal = await verifier.verify(sign(provider, token))
            found = {name: getattr(principal, name) for name in token.principal}
            assert found == token.principal
        else:
            with pytest.raises(Unauthenticated, match=f"^{token.reason}$") as raised:
                await verifier.verify(sign(provider, token))
            assert token.explanation in raised.value.explanation


@pytest.mark.parametrize("provider", [one for one in ALL if one.metadata], ids=name_of)
async def test_the_keys_are_where_the_settings_say(provider: Provider) -> None:
    """Publish the documents of the provider at its URLs, and nothing else."""
    settings = read_settings(provider)
    documents = {
        settings["discovery_url"]: json.dumps(provider.metadata).encode(),
        provider.metadata["jwks_uri"]: encode_jwk_set(*provider.jwks),
    }

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(documents[str(request.url)]))

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        keys = await fetch_key_set(client, Issuer.model_validate(settings), 2)
    assert provider.key.kid in keys.ids
    assert [key for key in keys.ignored if key.is_intended] == []


def iter_pages() -> Iterator[Path]:
    yield from sorted(PAGES.glob("*.md"))


def test_every_settings_block_of_a_page_is_tested() -> None:
    assert len(list(iter_pages())) == 6
    for page in iter_pages():
        blocks = [block for block in parse_blocks(page) if block.language == "toml"]
        tested = [provider.block for provider in ALL if provider.page == page.name]
        assert tested == list(range(len(blocks))), page.name


async def test_an_opaque_or_encrypted_token_is_explained(tmp_path: Path) -> None:
    async with open_provider(AUTH0, tmp_path) as verifier:
        for token, explanation in {
            "ya29.a0AfH6SMBxYz": "an opaque token",
            "LP3mGcuF0Hk1": "an opaque token",
            "eyJhbGciOiJkaXIifQ..a.b.c": "encrypted (JWE)",
        }.items():
            with pytest.raises(Unauthenticated) as raised:
                await verifier.verify(token)
            assert explanation in raised.value.explanation
            assert token[:8] not in raised.value.explanation
