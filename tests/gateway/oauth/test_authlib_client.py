"""Authlib's client gets tokens from the gateway, on a socket, in each way to authenticate."""

import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt as jose_jwt
from joserfc.jwk import ECKey, KeySet

from tests.gateway.oauth.client_keys import generate, publish
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    make_client,
    serve_oauth,
)

with warnings.catch_warnings(record=True):  # it asks for a successor of httpx
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
    from authlib.oauth2.rfc7523.assertion import private_key_jwt_sign
    from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


class Assertion(PrivateKeyJWT):  # type: ignore[misc]  # Authlib has no types
    """Authlib's assertion for the issuer, as the gateway requires; its own lives for an hour."""

    def sign(self, auth: Any, _token_endpoint: str) -> str:
        signed: str = private_key_jwt_sign(
            auth.client_secret, auth.client_id, GATEWAY, alg="ES256", expires_in=60
        )
        return signed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    clients = [make_client("bff", SECRET), make_client("signer", public_keys=[publish("ec")])]
    async with serve_oauth(tmp_path_factory.mktemp("oauth"), *clients) as served:
        yield served


def create_client(method: str, secret: str = SECRET) -> Any:
    """Return Authlib's client."""
    methods = {"token_endpoint_auth_method": method, "revocation_endpoint_auth_method": method}
    if method != "private_key_jwt":
        client = AsyncOAuth2Client("bff", secret, **methods)
    else:
        client = AsyncOAuth2Client("signer", ECKey.import_key(generate("ec", 0)), **methods)
        client.register_client_auth_method(Assertion())
    return client


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_gets_tokens(gateway: OAuthGateway, method: str) -> None:
    async with create_client(method) as client:
        for _ in range(2):
            token = await client.fetch_token(
                f"{gateway.url}/oauth/token", grant_type="client_credentials", scope="orders:read"
            )
            assert token["scope"] == "orders:read"
            assert token["expires_at"] == pytest.approx(time.time() + 600, abs=5)


async def test_joserfc_and_authlib_accept_what_is_issued(gateway: OAuthGateway) -> None:
    async with create_client("client_secret_basic") as client:
        issued = await client.fetch_token(
            f"{gateway.url}/oauth/token", grant_type="client_credentials"
        )
    keys = KeySet.import_key_set((await gateway.get("/.well-known/jwks.json")).json())
    token = jose_jwt.decode(issued["access_token"], keys, algorithms=["ES256"])
    options = {
        "iss": {"essential": True, "value": GATEWAY},
        "aud": {"essential": True, "value": GATEWAY},
    }
    JWTAccessTokenClaims(token.claims, token.header, options).validate()
    assert token.claims["client_id"] == "bff"


@pytest.mark.parametrize("method", METHODS[:2])
async def test_a_wrong_secret_is_an_error_of_oauth(gateway: OAuthGateway, method: str) -> None:
    async with create_client(method, "wrong") as client:
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(f"{gateway.url}/oauth/token", grant_type="client_credentials")


async def test_the_assertion_that_authlib_makes_by_default_is_refused(
    gateway: OAuthGateway,
) -> None:
    """Its audience is the URL of the token endpoint, and it lives for an hour."""
    async with create_client("private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(alg="ES256"))
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(f"{gateway.url}/oauth/token", grant_type="client_credentials")


async def test_a_too_wide_scope_is_an_error_of_oauth(gateway: OAuthGateway) -> None:
    async with create_client("client_secret_basic") as client:
        with pytest.raises(OAuthError, match="invalid_scope"):
            await client.fetch_token(
                f"{gateway.url}/oauth/token", grant_type="client_credentials", scope="admin"
            )


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_asks_about_a_token_and_revokes_it(
    gateway: OAuthGateway, method: str
) -> None:
    async with create_client(method) as client:
        issued = await client.fetch_token(
            f"{gateway.url}/oauth/token", grant_type="client_credentials"
        )
        introspect, revoke = (f"{gateway.url}/oauth/{name}" for name in ("introspect", "revoke"))
        token = issued["access_token"]
        described = (await client.introspect_token(introspect, token)).json()
        assert (described["active"], described["client_id"]) == (True, client.client_id)
        assert (await client.revoke_token(revoke, token, "access_token")).status_code == 200
        assert (await client.introspect_token(introspect, token)).json() == {"active": False}
