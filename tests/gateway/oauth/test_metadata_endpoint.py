"""GET /.well-known/oauth-authorization-server, on a socket."""

import warnings
from pathlib import Path

import pytest

from gateway.settings.schema import ALGORITHMS, Identity, Server
from tests.gateway.oauth.oauth_gateway import GATEWAY, OAuthGateway, make_settings, serve_oauth

with warnings.catch_warnings(record=True):
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

PATH = "/.well-known/oauth-authorization-server"


async def test_the_metadata_name_what_the_gateway_serves(tmp_path: Path) -> None:
    async with serve_oauth(tmp_path) as gateway:
        response = await gateway.get(PATH)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "public, max-age=300"
        document = response.json()
        assert document["issuer"] == GATEWAY
        assert document["token_endpoint"] == f"{GATEWAY}/oauth/token"
        assert "client_credentials" in document["grant_types_supported"]
        assert document["response_types_supported"] == []
        assert document["token_endpoint_auth_methods_supported"] == [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ]
        algorithms = document["token_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == list(ALGORITHMS)
        await require_served(gateway, document)
        # Authlib demands a response type, which a server without authorization does not have.
        AuthorizationServerMetadata(document | {"response_types_supported": ["none"]}).validate()


async def require_served(gateway: OAuthGateway, document: dict[str, object]) -> None:
    """Require that each URL of the document is served: an endpoint refuses GET, with 405."""
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            response = await gateway.get(str(value).removeprefix(GATEWAY))
            assert response.status_code == (200 if name == "jwks_uri" else 405), name


@pytest.mark.parametrize(
    ("issuer", "root_path", "base"),
    [
        ("https://gateway.test", "/api", "https://gateway.test/api"),
        ("https://gateway.test/api", "/api", "https://gateway.test/api"),
        ("https://gateway.test/api", "", "https://gateway.test/api"),
    ],
)
async def test_the_prefix_of_a_proxy_is_part_of_each_url(
    tmp_path: Path, issuer: str, root_path: str, base: str
) -> None:
    key_file = make_settings(tmp_path).identity.signing_key_file
    identity = Identity(issuer=issuer, signing_key_file=key_file)
    async with serve_oauth(
        tmp_path, identity=identity, server=Server(root_path=root_path)
    ) as gateway:
        document = (await gateway.get(PATH)).json()
        assert document["token_endpoint"] == f"{base}/oauth/token"
        assert document["jwks_uri"] == f"{base}/.well-known/jwks.json"
        # RFC 8414, section 3.1: the path of the issuer comes last.
        inserted = await gateway.get(f"{PATH}/api")
        assert inserted.status_code == (200 if issuer.endswith("/api") else 404)
        assert (await gateway.get(f"{PATH}/other")).status_code == 404
