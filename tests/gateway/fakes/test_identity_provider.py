"""The development issuer: its published keys verify its own tokens and no others."""

import httpx
import pytest
from jose import JWTError, jwt

from gateway.fakes.identity_endpoints import (
    AUDIENCE,
    DISCOVERY_PATH,
    ISSUER,
    JWKS_PATH,
    TOKEN_PATH,
)
from gateway.fakes.identity_provider import DevelopmentIssuer
from tests.gateway.fakes.sample_fakes import serve_sample_fakes

NOW = 2_000_000_000


@pytest.fixture(scope="module")
def issuer() -> DevelopmentIssuer:
    """Shared by the tests that do not change it, because generating a key is slow."""
    return DevelopmentIssuer(clock=lambda: NOW)


def verify(token: str, issuer: DevelopmentIssuer) -> dict[str, object]:
    """Verify the signature with the published key of the token's `kid`, and return the claims."""
    kid = jwt.get_unverified_header(token)["kid"]
    keys = {key["kid"]: key for key in issuer.export_jwks()["keys"]}
    if kid not in keys:
        raise JWTError("no such key")
    options = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, object] = jwt.decode(
        token, keys[kid], algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER, options=options
    )
    return claims


def test_a_token_has_the_standard_claims(issuer: DevelopmentIssuer) -> None:
    claims = verify(issuer.issue_token("7", scopes=["dashboard:read", "orders:read"]), issuer)

    assert claims["sub"] == "7"
    assert claims["scope"] == "dashboard:read orders:read"
    assert (claims["iat"], claims["exp"]) == (NOW, NOW + 3_600)
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)


def test_a_token_can_have_other_claims(issuer: DevelopmentIssuer) -> None:
    token = issuer.issue_token(
        "a", audience=AUDIENCE, lifetime_seconds=-5, claims={"client_id": "a"}
    )
    claims = verify(token, issuer)

    assert claims["exp"] == NOW - 5
    assert claims["client_id"] == "a"
    assert verify(issuer.issue_token("a", claims={"sub": "b"}), issuer)["sub"] == "b"


def test_every_token_has_its_own_id(issuer: DevelopmentIssuer) -> None:
    one, other = (verify(issuer.issue_token("7"), issuer) for _ in range(2))

    assert one["jti"] != other["jti"]


def test_only_public_key_members_are_published(issuer: DevelopmentIssuer) -> None:
    [key] = issuer.export_jwks()["keys"]

    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}
    assert (key["kty"], key["alg"], key["use"], key["kid"]) == ("RSA", "RS256", "sig", issuer.kid)
    assert len(key["n"]) == 342  # 2048 bits in base64url


def test_a_token_signed_by_another_issuer_is_invalid(issuer: DevelopmentIssuer) -> None:
    forged = jwt.encode(
        verify(issuer.issue_token("7"), issuer),
        DevelopmentIssuer()._keys.popitem()[1],
        algorithm="RS256",
        headers={"kid": issuer.kid},
    )

    with pytest.raises(JWTError):
        verify(forged, issuer)


def test_rotation_keeps_old_tokens_until_the_old_key_is_retired() -> None:
    issuer = DevelopmentIssuer()
    first_kid, old = issuer.kid, issuer.issue_token("7")
    new_kid = issuer.rotate()
    new = issuer.issue_token("7")

    assert jwt.get_unverified_header(new)["kid"] == new_kid == issuer.kid != first_kid
    assert verify(old, issuer)["sub"] == verify(new, issuer)["sub"] == "7"

    issuer.retire_old_keys()
    assert verify(new, issuer)["sub"] == "7"
    with pytest.raises(JWTError, match="no such key"):
        verify(old, issuer)


async def test_the_discovery_document_leads_to_the_keys(
    issuer: DevelopmentIssuer, http: httpx.AsyncClient
) -> None:
    async with serve_sample_fakes(issuer=issuer) as fakes:
        discovery = (await http.get(fakes["identity"] + DISCOVERY_PATH)).json()
        keys = (await http.get(discovery["jwks_uri"])).json()

    assert discovery["issuer"] == ISSUER
    assert discovery["jwks_uri"] == fakes["identity"] + JWKS_PATH
    assert keys == issuer.export_jwks()


async def test_the_token_endpoint_issues_tokens(
    issuer: DevelopmentIssuer, http: httpx.AsyncClient
) -> None:
    async with serve_sample_fakes(issuer=issuer) as fakes:
        url = fakes["identity"] + TOKEN_PATH
        issued = await http.post(url, params={"sub": "7", "scope": "a b"})
        refused = await http.post(url, params={"scope": "a"})
        read = await http.get(url, params={"sub": "7"})

    claims = verify(issued.json()["access_token"], issuer)
    assert (claims["sub"], claims["scope"]) == ("7", "a b")
    assert issued.json()["expires_in"] == 3_600
    assert issued.headers["cache-control"] == "no-store"
    assert (refused.status_code, read.status_code) == (422, 405)
    assert "sub" in refused.json()["detail"]


async def test_the_provider_has_a_dial(issuer: DevelopmentIssuer, http: httpx.AsyncClient) -> None:
    async with serve_sample_fakes(issuer=issuer) as fakes:
        await http.put(f"{fakes['identity']}/_dial", json={"fault": "status", "times": 1})
        responses = [await http.get(fakes["identity"] + JWKS_PATH) for _ in range(2)]

    assert [response.status_code for response in responses] == [503, 200]
