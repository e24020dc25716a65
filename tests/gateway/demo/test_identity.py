"""The development issuer: what it publishes verifies what it signs, and nothing else."""

import httpx
import pytest
from jose import JWTError, jwt

from gateway.demo.identity import (
    AUDIENCE,
    DISCOVERY_PATH,
    ISSUER,
    JWKS_PATH,
    TOKEN_PATH,
    DevelopmentIssuer,
)
from gateway.demo.serve_demo import ANY_PORTS, serve_demo

NOW = 2_000_000_000


@pytest.fixture(scope="module")
def issuer() -> DevelopmentIssuer:
    """One for the tests that only read: keys cost time."""
    return DevelopmentIssuer(clock=lambda: NOW)


def verified(token: str, issuer: DevelopmentIssuer) -> dict[str, object]:
    """The claims, if the key of the token's `kid` is published and signed it."""
    kid = jwt.get_unverified_header(token)["kid"]
    keys = {key["kid"]: key for key in issuer.jwks()["keys"]}
    if kid not in keys:
        raise JWTError("no such key")
    options = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, object] = jwt.decode(
        token, keys[kid], algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER, options=options
    )
    return claims


def test_a_token_says_who_for_what_and_how_long(issuer: DevelopmentIssuer) -> None:
    claims = verified(issuer.token("7", scopes=["dashboard:read", "orders:read"]), issuer)

    assert claims["sub"] == "7"
    assert claims["scope"] == "dashboard:read orders:read"
    assert (claims["iat"], claims["exp"]) == (NOW, NOW + 3_600)
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)


def test_a_token_takes_what_a_test_needs(issuer: DevelopmentIssuer) -> None:
    token = issuer.token("a", audience=AUDIENCE, lifetime_seconds=-5, claims={"client_id": "a"})
    claims = verified(token, issuer)

    assert claims["exp"] == NOW - 5
    assert claims["client_id"] == "a"
    assert verified(issuer.token("a", claims={"sub": "b"}), issuer)["sub"] == "b"


def test_two_tokens_are_never_the_same(issuer: DevelopmentIssuer) -> None:
    one, other = (verified(issuer.token("7"), issuer) for _ in range(2))

    assert one["jti"] != other["jti"]


def test_what_is_published_is_public(issuer: DevelopmentIssuer) -> None:
    [key] = issuer.jwks()["keys"]

    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}
    assert (key["kty"], key["alg"], key["use"], key["kid"]) == ("RSA", "RS256", "sig", issuer.kid)
    assert len(key["n"]) == 342  # 2048 bits in base64url


def test_a_token_of_another_issuer_is_worth_nothing(issuer: DevelopmentIssuer) -> None:
    forged = jwt.encode(
        verified(issuer.token("7"), issuer),
        DevelopmentIssuer()._keys.popitem()[1],
        algorithm="RS256",
        headers={"kid": issuer.kid},
    )

    with pytest.raises(JWTError):
        verified(forged, issuer)


def test_rotation_keeps_old_tokens_until_the_old_key_is_retired() -> None:
    issuer = DevelopmentIssuer()
    first_kid, old = issuer.kid, issuer.token("7")
    new_kid = issuer.rotate()
    new = issuer.token("7")

    assert jwt.get_unverified_header(new)["kid"] == new_kid == issuer.kid != first_kid
    assert verified(old, issuer)["sub"] == verified(new, issuer)["sub"] == "7"

    issuer.retire()
    assert verified(new, issuer)["sub"] == "7"
    with pytest.raises(JWTError, match="no such key"):
        verified(old, issuer)


async def test_the_provider_is_discovered_over_http(
    issuer: DevelopmentIssuer, http: httpx.AsyncClient
) -> None:
    async with serve_demo(latency_ms=0, ports=ANY_PORTS, issuer=issuer) as demo:
        discovery = (await http.get(demo["identity"] + DISCOVERY_PATH)).json()
        keys = (await http.get(discovery["jwks_uri"])).json()

    assert discovery["issuer"] == ISSUER
    assert discovery["jwks_uri"] == demo["identity"] + JWKS_PATH
    assert keys == issuer.jwks()


async def test_the_provider_gives_tokens_for_the_asking(
    issuer: DevelopmentIssuer, http: httpx.AsyncClient
) -> None:
    async with serve_demo(latency_ms=0, ports=ANY_PORTS, issuer=issuer) as demo:
        url = demo["identity"] + TOKEN_PATH
        given = await http.post(url, params={"sub": "7", "scope": "a b"})
        refused = await http.post(url, params={"scope": "a"})
        read = await http.get(url, params={"sub": "7"})

    claims = verified(given.json()["access_token"], issuer)
    assert (claims["sub"], claims["scope"]) == ("7", "a b")
    assert given.json()["expires_in"] == 3_600
    assert given.headers["cache-control"] == "no-store"
    assert (refused.status_code, read.status_code) == (422, 405)
    assert "sub" in refused.json()["detail"]


async def test_the_provider_has_dials_too(
    issuer: DevelopmentIssuer, http: httpx.AsyncClient
) -> None:
    async with serve_demo(latency_ms=0, ports=ANY_PORTS, issuer=issuer) as demo:
        await http.put(f"{demo['identity']}/_dial", json={"fault": "status", "times": 1})
        answers = [await http.get(demo["identity"] + JWKS_PATH) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 200]
