"""POST /oauth/token, on a socket."""

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import jwt
import pytest
import pytest_asyncio

from gateway.settings.schema import OAuthSettings
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    basic,
    make_client,
    serve_oauth,
)

GRANT = {"grant_type": "client_credentials"}
ID_AND_SECRET = {"client_id": "bff", "client_secret": SECRET}
OTHER_SECRET = "lgs_of other: 100% é+"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    clients = [
        make_client("bff", SECRET),
        make_client("other", OTHER_SECRET, scopes=["a"]),
        make_client("exchanger", SECRET, scopes=[]),
    ]
    limits = OAuthSettings.model_validate(
        {"address_limit": "9999/second", "client_limit": "9999/second"}
    )
    async with serve_oauth(tmp_path_factory.mktemp("oauth"), *clients, oauth=limits) as served:
        yield served


async def verify(gateway: OAuthGateway, token: str) -> dict[str, Any]:
    """Return the claims of a token that another library has verified, as a service would."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    keys = jwt.PyJWKSet.from_dict((await gateway.get("/.well-known/jwks.json")).json())
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=["ES256"],
        audience=GATEWAY,
        issuer=GATEWAY,
        options={"require": ["iss", "aud", "sub", "client_id", "iat", "exp", "jti"]},
    )
    return claims


async def test_a_client_gets_a_token_with_all_its_scopes(gateway: OAuthGateway) -> None:
    reply = await gateway.post(GRANT, basic("bff", SECRET))
    assert reply.status == 200, reply.document
    assert reply.header("cache-control") == ["no-store"]
    assert reply.header("content-type") == ["application/json"]
    assert {**reply.document, "access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "orders:read users:read",
    }
    claims = await verify(gateway, reply.document["access_token"])
    assert claims["sub"] == claims["client_id"] == "bff"
    assert claims["scope"] == "orders:read users:read"
    assert claims["exp"] - claims["iat"] == 600


async def test_two_tokens_have_different_ids(gateway: OAuthGateway) -> None:
    replies = [await gateway.post(GRANT, basic("bff", SECRET)) for _ in range(2)]
    ids = {(await verify(gateway, reply.document["access_token"]))["jti"] for reply in replies}
    assert len(ids) == 2


RIGHT: list[tuple[Mapping[str, str], Mapping[str, str], str]] = [
    (GRANT | ID_AND_SECRET, {}, "orders:read users:read"),
    (GRANT | {"client_id": "bff"}, basic("bff", SECRET), "orders:read users:read"),
    (GRANT | {"client_secret": ""}, basic("bff", SECRET), "orders:read users:read"),
    (GRANT | {"scope": "users:read"}, basic("bff", SECRET), "users:read"),
    (GRANT | {"scope": "users:read orders:read users:read"}, basic("bff", SECRET),
        "users:read orders:read"),
    (GRANT | {"scope": ""}, basic("bff", SECRET), "orders:read users:read"),
    (GRANT | {"unknown": "parameter"}, basic("bff", SECRET), "orders:read users:read"),
    (GRANT, basic("other", OTHER_SECRET), "a"),
    (GRANT | {"client_id": "other", "client_secret": OTHER_SECRET}, {}, "a"),
    (GRANT, {**basic("bff", SECRET), "Content-Type":
        'application/X-WWW-Form-urlencoded; Charset="UTF-8"'}, "orders:read users:read"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "headers", "scope"), RIGHT)
async def test_a_right_request_gets_a_token(
    gateway: OAuthGateway, form: Mapping[str, str], headers: Mapping[str, str], scope: str
) -> None:
    reply = await gateway.post(form, headers)
    assert reply.status == 200, reply.document
    assert reply.document["scope"] == scope
    claims = await verify(gateway, reply.document["access_token"])
    assert claims["scope"] == scope


def raw_basic(text: bytes) -> Mapping[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


AUTHENTICATED = basic("bff", SECRET)
FORM_OF_BFF = b"grant_type=client_credentials&client_id=bff&client_secret=" + SECRET.encode()

WRONG: list[tuple[Mapping[str, str] | bytes, Mapping[str, str], int, str]] = [
    # The requests of Authlib's tests of this grant.
    (GRANT, {}, 401, "invalid_client"),
    (GRANT, basic("bff", "invalid-secret"), 401, "invalid_client"),
    (GRANT | {"scope": "invalid"}, AUTHENTICATED, 400, "invalid_scope"),
    ({"grant_type": "invalid"}, AUTHENTICATED, 400, "unsupported_grant_type"),
    # Which client it is.
    (GRANT, basic("unknown", SECRET), 401, "invalid_client"),
    (GRANT, basic("BFF", SECRET), 401, "invalid_client"),
    (GRANT, basic("other", SECRET), 401, "invalid_client"),
    (GRANT, basic("bff", ""), 401, "invalid_client"),
    (GRANT, basic("", SECRET), 401, "invalid_client"),
    (GRANT, raw_basic(b"bff"), 401, "invalid_client"),
    (GRANT, raw_basic(b"bff:%zz"), 401, "invalid_client"),
    (GRANT, raw_basic(b"bff:\xff"), 401, "invalid_client"),
    (GRANT, raw_basic(b"other:lgs_of other: 100% \xc3\xa9+"), 401, "invalid_client"),
    (GRANT, {"Authorization": "Basic"}, 401, "invalid_client"),
    (GRANT, {"Authorization": "Basic !"}, 401, "invalid_client"),
    (GRANT, {"Authorization": f"Bearer {SECRET}"}, 401, "invalid_client"),
    (GRANT | {"client_id": "bff"}, {}, 401, "invalid_client"),
    (GRANT | {"client_secret": SECRET}, {}, 401, "invalid_client"),
    (GRANT | {"client_id": "bff", "client_secret": "wrong"}, {}, 401, "invalid_client"),
    (GRANT | {"client_id": "other"}, AUTHENTICATED, 400, "invalid_request"),
    # Two ways at once.
    (GRANT | ID_AND_SECRET, AUTHENTICATED, 400, "invalid_request"),
    (GRANT | {"client_assertion": "x"}, AUTHENTICATED, 400, "invalid_request"),
    (GRANT | ID_AND_SECRET | {"client_assertion": "x"}, {}, 400, "invalid_request"),
    (GRANT | {"client_assertion": "x"}, {}, 400, "invalid_request"),
    (GRANT | {"client_assertion": "x", "client_assertion_type": "urn:x"}, {}, 400,
        "invalid_request"),
    # What it asks for.
    ({"a": "b"}, AUTHENTICATED, 400, "invalid_request"),
    ({"grant_type": ""}, AUTHENTICATED, 400, "invalid_request"),
    (b"", AUTHENTICATED, 400, "invalid_request"),
    ({"grant_type": "password"}, AUTHENTICATED, 400, "unsupported_grant_type"),
    ({"grant_type": "CLIENT_CREDENTIALS"}, AUTHENTICATED, 400, "unsupported_grant_type"),
    (GRANT | {"scope": "orders:read a"}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT | {"scope": "orders:read:any"}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT | {"scope": "orders:read  users:read"}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT | {"scope": " "}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT | {"scope": "orders:read\tusers:read"}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT | {"scope": "orders:read\\"}, AUTHENTICATED, 400, "invalid_scope"),
    (GRANT, basic("exchanger", SECRET), 400, "invalid_scope"),
    (GRANT | {"scope": "a"}, basic("exchanger", SECRET), 400, "invalid_scope"),
    # How the form is written.
    (FORM_OF_BFF + b"&scope=a&scope=b", {}, 400, "invalid_request"),
    (FORM_OF_BFF + b"&grant_type=client_credentials", {}, 400, "invalid_request"),
    (FORM_OF_BFF + b"&client_id=bff", {}, 400, "invalid_request"),
    (FORM_OF_BFF + b"&x=%zz", {}, 400, "invalid_request"),
    (FORM_OF_BFF + b"&x=%ff", {}, 400, "invalid_request"),
    (FORM_OF_BFF, {"Content-Type": "application/json"}, 400, "invalid_request"),
    (FORM_OF_BFF, {"Content-Type": "text/plain"}, 400, "invalid_request"),
    (FORM_OF_BFF, {"Content-Type": "application/x-www-form-urlencoded; charset=latin-1"}, 400,
        "invalid_request"),
    (FORM_OF_BFF, {"Content-Type": "multipart/form-data; boundary=x"}, 400, "invalid_request"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "headers", "status", "error"), WRONG)
async def test_a_wrong_request_gets_the_error_of_the_rfc(
    gateway: OAuthGateway,
    form: Mapping[str, str] | bytes,
    headers: Mapping[str, str],
    status: int,
    error: str,
) -> None:
    gateway.log.clear()
    reply = await gateway.post(form, headers)
    assert (reply.status, reply.document["error"]) == (status, error)
    assert set(reply.document) == {"error", "error_description"}
    assert set(reply.document["error_description"]).isdisjoint('"\\')
    assert reply.header("cache-control") == ["no-store"]
    challenge = ['Basic realm="lockgate", charset="UTF-8"'] if status == 401 else []
    assert reply.header("www-authenticate") == challenge
    await gateway.served.settle(1)
    assert SECRET not in str(gateway.log.lines)
    assert gateway.log.completed[0]["error"] == error
    assert not gateway.log.failures


async def test_every_failure_of_a_client_has_one_response(gateway: OAuthGateway) -> None:
    wrong = [basic("unknown", "wrong"), basic("bff", "wrong"), raw_basic(b"bff"), {}]
    bodies = {(await gateway.post(GRANT, headers)).body for headers in wrong}
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("headers", "client_id"),
    [
        (basic("bff", SECRET), "bff"),
        (basic("bff", "wrong"), "bff"),
        (basic("lgs_secret-as-id", SECRET), None),
    ],
)
async def test_the_log_names_a_client_that_is_known(
    gateway: OAuthGateway, headers: Mapping[str, str], client_id: str | None
) -> None:
    gateway.log.clear()
    await gateway.post(GRANT, headers)
    await gateway.served.settle(1)
    assert gateway.log.completed[0].get("client_id") == client_id
    assert gateway.log.completed[0]["route"] == "/oauth/token"
    assert "lgs_" not in str(gateway.log.lines)


async def test_a_body_that_is_too_large_or_compressed_is_a_problem(gateway: OAuthGateway) -> None:
    large = await gateway.post(FORM_OF_BFF + b"&x=" + b"x" * 70_000)
    assert (large.status, large.document["title"]) == (413, "Content too large")
    packed = await gateway.post(FORM_OF_BFF, {"Content-Encoding": "gzip"})
    assert packed.status == 415


async def test_only_post_is_served(gateway: OAuthGateway) -> None:
    response = await gateway.get("/oauth/token")
    assert (response.status_code, response.headers["allow"]) == (405, "OPTIONS, POST")
    query = await gateway.post(
        b"", basic("bff", SECRET), "/oauth/token?grant_type=client_credentials"
    )
    assert query.document["error"] == "invalid_request"


async def test_a_client_is_known_within_a_second_and_forgotten_so(gateway: OAuthGateway) -> None:
    await gateway.add(make_client("late", "secret-of-late"))
    assert (await gateway.post(GRANT, basic("late", "secret-of-late"))).status == 200
    await gateway.remove("late")
    assert (await gateway.post(GRANT, basic("late", "secret-of-late"))).status == 401
