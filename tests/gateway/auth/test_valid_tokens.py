"""Unusual tokens that are valid all the same."""

from typing import Any

import httpx
import pytest

from gateway.settings.schema import ALGORITHMS
from tests.gateway.auth.conftest import bearer
from tests.gateway.auth.token_factory import get_signing_key, make_token


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_every_algorithm(client: httpx.AsyncClient, alg: str) -> None:
    response = await client.get("/me", headers=bearer(make_token(key=get_signing_key(alg))))
    assert (response.status_code, response.json()) == (200, {"subject": "u1"})


@pytest.mark.parametrize(
    "header",
    [
        {"typ": ...},
        {"typ": "at+jwt"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": "application/JWT"},
        {"x5t": "c2hhMQ"},
        {"jku": "https://id.example.test/keys"},
        {"x": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    ],
    ids=str,
)
async def test_harmless_headers(client: httpx.AsyncClient, header: dict[str, Any]) -> None:
    response = await client.get("/me", headers=bearer(make_token(header=header)))
    assert response.status_code == 200


async def test_ed25519_as_the_name_of_eddsa(client: httpx.AsyncClient) -> None:
    token = make_token(header={"alg": "Ed25519"}, key=get_signing_key("EdDSA"))
    assert (await client.get("/me", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["gateway"]},
        {"aud": ["other", "gateway"]},
        {"exp": 4_000_000_000.5},
        {"iat": ...},
        {"nbf": 0},
        {"scope": ["dashboard:read", "x"]},
        {"scope": ..., "scp": ["dashboard:read"]},
        {"scope": ..., "scp": "dashboard:read"},
        {"scope": "dashboard:read:any"},
        {"sub": "ünïcode"},
        {"realm": {"roles": [[{"deep": [1, 2.5, None, True]}]] * 20}},
        {"name": 'quoted "[{[{[{" \\ text' * 9},
        {"emoji": "\U0001f600"},
    ],
    ids=str,
)
async def test_valid_claims(client: httpx.AsyncClient, claims: dict[str, Any]) -> None:
    response = await client.get("/me", headers=bearer(make_token(claims)))
    assert response.status_code == 200
