"""No hostile token passes, and an attacker learns the same from each of them: nothing."""

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

HOSTILE: dict[str, Callable[[], str]] = {
    f"{kind}: {name}": token
    for kind, tokens in {
        "text": malformed_tokens.TOKENS,
        "header": invalid_headers.TOKENS,
        "claims": invalid_claims.TOKENS,
        "signature": invalid_signatures.TOKENS,
    }.items()
    for name, token in tokens.items()
}

REFUSAL = {
    "type": "urn:lockgate:problem:unauthenticated",
    "title": "Unauthenticated",
    "status": 401,
    "detail": "Send a valid access token as 'Authorization: Bearer ...'.",
}


@pytest.fixture(scope="module")
def jwks_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good keys among keys that must never be used."""
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    good = [key.jwk() for key in get_signing_keys().values()]
    path.write_bytes(encode_jwk_set(*invalid_signatures.UNFIT_JWKS, *good))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(jwks_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that has those keys."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    async with (
        open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier,
        client_of(guarded_app(verifier)) as client,
    ):
        yield client


async def test_the_table_is_long() -> None:
    assert len(HOSTILE) > 250


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_token_is_refused(client: httpx.AsyncClient, name: str) -> None:
    header = b"Bearer " + HOSTILE[name]().encode("utf-8", "surrogatepass")
    answer = await client.get("/me", headers=[(b"Authorization", header)])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="lockgate", error="invalid_token"'
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert "instance" in document
    del document["instance"]
    assert document == REFUSAL


async def test_good_keys_among_bad_ones_still_serve(client: httpx.AsyncClient) -> None:
    for key in get_signing_keys().values():
        headers = {"Authorization": f"Bearer {make_token(key=key)}"}
        assert (await client.get("/me", headers=headers)).status_code == 200


async def test_what_an_issuer_may_not_use_is_refused(jwks_file: Path) -> None:
    issuer = Issuer(
        issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file, algorithms=("ES256", "EdDSA")
    )
    async with open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier:
        for alg, key in get_signing_keys().items():
            passed = await _passes(verifier, make_token(key=key))
            assert passed == (alg in issuer.algorithms)


async def _passes(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except Unauthenticated:
        return False
    return True
