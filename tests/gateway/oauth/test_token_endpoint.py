"""POST /oauth/token, on a socket."""

from collections.abc import AsyncIterator

import jwt
import pytest
import pytest_asyncio

from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    basic,
    make_client,
    serve_oauth,
)

GRANT = {"grant_type": "client_credentials"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    async with serve_oauth(tmp_path_factory.mktemp("oauth"), make_client("bff", SECRET)) as served:
        yield served


async def test_a_client_gets_a_token_with_all_its_scopes(gateway: OAuthGateway) -> None:
    reply = await gateway.post(GRANT, basic("bff", SECRET))
    assert reply.status == 200, reply.document
    assert reply.header("cache-control") == ["no-store"]
    assert {**reply.document, "access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "orders:read users:read",
    }
    token = reply.document["access_token"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    keys = jwt.PyJWKSet.from_dict((await gateway.get("/.well-known/jwks.json")).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=GATEWAY, issuer=GATEWAY)
    assert claims["sub"] == claims["client_id"] == "bff"
    assert claims["scope"] == "orders:read users:read"
    assert claims["exp"] - claims["iat"] == 600
    assert len(claims["jti"]) == 22
