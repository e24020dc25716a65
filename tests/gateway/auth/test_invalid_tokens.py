"""Every invalid token gets the same 401, so that an attacker learns nothing from it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth import invalid_claims, invalid_headers, invalid_signatures, malformed_tokens
from tests.gateway.auth.conftest import client_of, guarded_app
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_keys,
    make_token,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID_TOKENS: dict[str, Callable[[], str]] = {
    f"{kind}: {name}": token
    for kind, tokens in {
        "text": malformed_tokens.TOKENS,
        "header": invalid_headers.TOKENS,
        "claims": invalid_claims.TOKENS,
        "signature": invalid_signatures.TOKENS,
    }.items()
    for name, token in tokens.items()
}

PROBLEM = {
    "type": "urn:lockgate:problem:unauthenticated",
    "title": "Unauthenticated",
    "status": 401,
    "detail": "Send a valid access token as 'Authorization: Bearer ...'.",
}


@pytest.fixture(scope="module")
def jwks_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JWKS file with usable keys among unusable ones."""
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    usable = [key.jwk() for key in get_signing_keys().values()]
    path.write_bytes(encode_jwk_set(*invalid_signatures.UNUSABLE_JWKS, *usable))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(jwks_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app whose verifier has those keys."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    async with (
        open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier,
        client_of(guarded_app(verifier)) as client,
    ):
        yield client


async def test_there_are_more_than_250_invalid_tokens() -> None:
    assert len(INVALID_TOKENS) > 250


@pytest.mark.parametrize("name", INVALID_TOKENS)
async def test_an_invalid_token_is_refused(client: httpx.AsyncClient, name: str) -> None:
    header = b"Bearer " + INVALID_TOKENS[name]().encode("utf-8", "surrogatepass")
    response = await client.get("/me", headers=[(b"Authorization", header)])
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="lockgate", error="invalid_token"'
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert "instance" in document
    del document["instance"]
    assert document == PROBLEM


async def test_usable_keys_among_unusable_ones_work(client: httpx.AsyncClient) -> None:
    for key in get_signing_keys().values():
        headers = {"Authorization": f"Bearer {make_token(key=key)}"}
        assert (await client.get("/me", headers=headers)).status_code == 200


async def test_an_algorithm_that_the_issuer_may_not_use_is_refused(jwks_file: Path) -> None:
    issuer = Issuer(
        issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file, algorithms=("ES256", "EdDSA")
    )
    async with open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier:
        for alg, key in get_signing_keys().items():
            accepted = await _is_accepted(verifier, make_token(key=key))
            assert accepted == (alg in issuer.algorithms)


async def _is_accepted(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except Unauthenticated:
        return False
    return True
