"""GET /.well-known/jwks.json: the public keys, for anybody, cacheable; 404 without keys."""

import re
import time

from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import KEY_SET_MAX_AGE
from gateway.settings.schema import Settings
from gateway.testing import lockgate
from tests.gateway.identity.callers import make_caller
from tests.gateway.identity.verifiers import verify_with_pyjwt

PATH = "/.well-known/jwks.json"


async def test_a_service_gets_the_public_keys_without_a_token(settings: Settings) -> None:
    async with lockgate(settings) as gateway:
        response = await gateway.get(PATH)
        tokens: InternalTokens = gateway.app.state.resources[InternalTokens]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == f"public, max-age={KEY_SET_MAX_AGE}"
    (key,) = response.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    token = tokens.issue(make_caller(expires_at=4e9), "inventory", ())
    claims = verify_with_pyjwt(token, response.json()["keys"], "inventory", time.time())
    assert claims["aud"] == "inventory"


async def test_a_service_that_has_the_keys_gets_304(settings: Settings) -> None:
    async with lockgate(settings) as gateway:
        etag = (await gateway.get(PATH)).headers["etag"]
        same = await gateway.get(PATH, headers={"If-None-Match": f'"other", {etag}'})
        other = await gateway.get(PATH, headers={"If-None-Match": '"other"'})
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert "max-age" in same.headers["cache-control"]
    assert other.status_code == 200


async def test_head_and_other_methods_are_those_of_any_route(settings: Settings) -> None:
    async with lockgate(settings) as gateway:
        head = await gateway.request("HEAD", PATH)
        post = await gateway.post(PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert post.status_code == 405


async def test_without_keys_there_is_no_such_route() -> None:
    async with lockgate() as gateway:
        response = await gateway.get(PATH)
    assert response.status_code == 404
