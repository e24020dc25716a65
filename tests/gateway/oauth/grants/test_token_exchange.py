"""Who may call whom on whose behalf: each cell of the tables is a request on a socket.

The rules are in `exchange_gateway.py`: bff calls stock for users of the first provider, and orders
for those who may delegate; relay calls both for users of any provider; batch calls the whole
gateway for clients; alone has no rule.
"""

import time
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet

from gateway.auth.revocation_index import RevocationKind
from gateway.oauth.grants.token_exchange import ACCESS_TOKEN, GRANT_TYPE, JWT
from tests.gateway.oauth.exchange_gateway import (
    PROVIDER,
    ExchangeGateway,
    read_claims,
    serve_exchanges,
    sign,
)
from tests.gateway.oauth.oauth_gateway import GATEWAY, SECRET

with warnings.catch_warnings(record=True):  # it asks for a successor of httpx
    from authlib.integrations.httpx_client import AsyncOAuth2Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

# `token` and `policy` stand for invalid_request, `client` for unauthorized_client, and so on.
WHO_WHOM_ON_WHOSE_BEHALF = """
on whose behalf            | bff    | bff    | relay  | relay  | batch  | batch  | bff    | alone
                           | stock  | orders | stock  | orders | stock  | users  | users  | stock
user                       | yes    | target | yes    | yes    | policy | policy | target | client
user who may delegate      | yes    | yes    | yes    | yes    | policy | policy | target | client
user without stock:read    | scope  | target | yes    | yes    | policy | policy | target | client
user without a scope       | scope  | target | scope  | scope  | policy | policy | target | client
user of another provider   | policy | policy | yes    | yes    | policy | policy | policy | client
client cron                | policy | policy | policy | policy | yes    | yes    | policy | client
exchanged by bff for stock | yes    | target | yes    | target | policy | policy | target | client
exchanged by relay         | yes    | target | yes    | yes    | policy | policy | target | client
exchanged by batch for all | policy | policy | policy | policy | yes    | yes    | policy | client
expired                    | token  | token  | token  | token  | token  | token  | token  | client
revoked                    | token  | token  | token  | token  | token  | token  | token  | client
not for the gateway        | token  | token  | token  | token  | token  | token  | token  | client
for the client             | token  | token  | token  | token  | token  | token  | token  | client
without an audience        | token  | token  | token  | token  | token  | token  | token  | client
of an unknown issuer       | token  | token  | token  | token  | token  | token  | token  | client
signed by another provider | token  | token  | token  | token  | token  | token  | token  | client
internal token             | token  | token  | token  | token  | token  | token  | token  | client
internal token for itself  | token  | token  | token  | token  | token  | token  | token  | client
API key                    | token  | token  | token  | token  | token  | token  | token  | client
ID token                   | token  | token  | token  | token  | token  | token  | token  | client
refresh token              | token  | token  | token  | token  | token  | token  | token  | client
ticket                     | token  | token  | token  | token  | token  | token  | token  | client
no token                   | token  | token  | token  | token  | token  | token  | token  | client
not ASCII                  | token  | token  | token  | token  | token  | token  | token  | client
too large                  | token  | token  | token  | token  | token  | token  | token  | client
bound to a key             | policy | policy | policy | policy | policy | policy | policy | client
"""
ERRORS = {
    "client": "unauthorized_client",
    "token": "invalid_request",
    "policy": "invalid_request",
    "scope": "invalid_scope",
    "target": "invalid_target",
}

# What tells `token` from `policy`.
NOT_VALID = "The subject_token is not a valid access token for this server."


def read_table(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def list_cells() -> list[tuple[str, str, str, str]]:
    (_, *clients), (_, *services), *rows = read_table(WHO_WHOM_ON_WHOSE_BEHALF)
    return [
        (subject, client, service, cell)
        for subject, *cells in rows
        for client, service, cell in zip(clients, services, cells, strict=True)
    ]


# What a request asks for, and what the token is then good for: services and scopes.
REQUESTS = """
relay | user                       |               |                         | orders stock: stock:read orders:read
relay | user                       | stock orders  |                         | orders stock: stock:read orders:read
relay | user                       | stock         | stock:read              | stock: stock:read
relay | user                       |               | orders:read             | orders stock: orders:read
relay | user                       | stock         | orders:read stock:read  | stock: orders:read stock:read
relay | user                       | stock users   |                         | invalid_target
relay | user                       | stock nothing |                         | invalid_target
relay | user                       | *             |                         | invalid_target
relay | user                       | stock         | stock:read orders:write | invalid_scope
relay | user                       | stock         | stock:read:any          | invalid_scope
relay | user                       | stock         | users:read              | invalid_scope
relay | user without stock:read    | stock         | stock:read              | invalid_scope
relay | user without stock:read    | stock         |                         | stock: orders:read
bff   | user                       |               |                         | stock: stock:read
bff   | user                       | stock orders  |                         | invalid_target
bff   | user                       | stock         | stock:read orders:read  | invalid_scope
bff   | user                       |               | orders:read             | invalid_scope
bff   | user who may delegate      |               | orders:read             | orders: orders:read
bff   | user who may delegate      |               |                         | stock: stock:read
bff   | user who may delegate      | stock orders  |                         | invalid_target
bff   | user who may delegate      | stock         | orders:read             | invalid_scope
bff   | user who may delegate      | orders        | orders:delegate         | invalid_scope
bff   | user who may delegate      | orders        |                         | orders: orders:read
batch | client cron                |               |                         | *: stock:read orders:read
batch | client cron                | users         | orders:read             | users: orders:read
batch | client cron                | nothing       |                         | invalid_target
relay | exchanged by bff for stock |               |                         | stock: stock:read
relay | exchanged by bff for stock | stock orders  |                         | invalid_target
relay | exchanged by bff for stock | stock         | orders:read             | invalid_scope
batch | exchanged by batch for all |               |                         | *: stock:read orders:read
"""  # noqa: E501 - a table


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ExchangeGateway]:
    async with serve_exchanges(tmp_path_factory.mktemp("exchange")) as served:
        yield served


@pytest.mark.parametrize(("subject", "client", "service", "cell"), list_cells())
async def test_who_may_call_whom_on_whose_behalf(
    gateway: ExchangeGateway, subject: str, client: str, service: str, cell: str
) -> None:
    reply = await gateway.exchange(client, gateway.subjects[subject], audience=[service])
    assert reply.header("cache-control") == ["no-store"]
    if cell == "yes":
        assert reply.status == 200, reply.document
        claims = read_claims(reply.document["access_token"])
        assert (claims["client_id"], claims["services"]) == (client, [service])
        assert claims["aud"] == claims["iss"] == GATEWAY
    else:
        assert (reply.status, reply.document["error"]) == (400, ERRORS[cell])
        about_token = reply.document["error_description"] == NOT_VALID
        assert about_token == (cell == "token")


@pytest.mark.parametrize("row", read_table(REQUESTS), ids=" ".join)
async def test_what_a_request_asks_for(gateway: ExchangeGateway, row: list[str]) -> None:
    client, subject, services, scopes, result = row
    token = gateway.subjects[subject]
    reply = await gateway.exchange(client, token, audience=services.split(), scope=scopes)
    if result.startswith("invalid"):
        assert (reply.status, reply.document["error"]) == (400, result)
        return
    assert reply.status == 200, reply.document
    claims = read_claims(reply.document["access_token"])
    assert f"{' '.join(claims.get('services', ['*']))}: {claims['scope']}" == result
    assert reply.document["scope"] == claims["scope"]


async def test_the_response_and_the_claims(gateway: ExchangeGateway) -> None:
    user = gateway.subjects["user"]
    reply = await gateway.exchange("bff", user, audience=["stock"], resource=[GATEWAY])
    document, subject = reply.document, read_claims(user)
    claims = read_claims(document["access_token"])
    lifetime = subject["exp"] - claims["iat"]  # shorter than oauth.token_seconds
    assert {**document, "access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "issued_token_type": ACCESS_TOKEN,
        "expires_in": lifetime,
        "scope": "stock:read",
    }
    assert len(claims.pop("jti")) == 22
    assert claims == {
        "iss": GATEWAY,
        "aud": GATEWAY,
        "sub": f"{PROVIDER}#alice",
        "sub_id": {"format": "iss_sub", "iss": PROVIDER, "sub": "alice"},
        "user_id": "alice",
        "client_id": "bff",
        "scope": "stock:read",
        "services": ["stock"],
        "act": {"iss": GATEWAY, "sub": "bff", "act": {"iss": PROVIDER, "sub": "shop-app"}},
        "origin": [{"iss": PROVIDER, "jti": subject["jti"], "iat": subject["iat"]}],
        "iat": claims["iat"],
        "exp": subject["exp"],
    }


async def test_a_token_lives_no_longer_than_the_setting(gateway: ExchangeGateway) -> None:
    claims = read_claims(
        await gateway.get_token("bff", sign(exp=int(time.time()) + 86_400), "stock")
    )
    assert claims["exp"] - claims["iat"] == gateway.settings.oauth.token_seconds


@pytest.mark.parametrize(
    ("parameters", "error", "part"),
    [
        ({"subject_token": ""}, "invalid_request", "subject_token is missing"),
        ({"subject_token_type": ""}, "invalid_request", "subject_token_type is missing"),
        (
            {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
            "invalid_request",
            "The subject_token_type must be",
        ),
        ({"actor_token": "x"}, "invalid_request", "An actor_token is not supported"),
        ({"actor_token_type": JWT}, "invalid_request", "An actor_token is not supported"),
        (
            {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
            "The only requested_token_type is",
        ),
        ({"scope": "stock:read  orders:read"}, "invalid_scope", "single spaces"),
        ({"resource": "https://stock.example"}, "invalid_target", "The only resource is"),
        ({"audience": GATEWAY}, "invalid_target", "No rule permits the client to call each"),
        ({"resource": f"{GATEWAY}/"}, "invalid_target", "The only resource is"),
    ],
)
async def test_a_request_that_is_not_supported(
    gateway: ExchangeGateway, parameters: dict[str, str], error: str, part: str
) -> None:
    form = {"subject_token": gateway.subjects["user"], **parameters}
    reply = await gateway.send("bff", list(form.items()))
    assert (reply.status, reply.document["error"]) == (400, error)
    assert part in reply.document["error_description"]


async def test_both_types_of_an_access_token_are_accepted(gateway: ExchangeGateway) -> None:
    token = gateway.subjects["user"]
    for options in ({"subject_token_type": JWT}, {"requested_token_type": ACCESS_TOKEN}):
        assert (await gateway.exchange("bff", token, **options)).status == 200


@pytest.mark.parametrize(
    ("subject", "client", "audience", "statuses"),
    [
        ("user", "bff", ["stock"], {"/stock/1": 200, "/orders/1": 403, "/page": 403}),
        ("user", "relay", [], {"/stock/1": 200, "/orders/1": 200, "/users/1": 403, "/page": 403}),
        ("client cron", "batch", [], {"/stock/1": 200, "/users/1": 200, "/page": 200}),
        ("client cron", "batch", ["users"], {"/users/1": 200, "/stock/1": 403, "/page": 403}),
    ],
)
async def test_a_token_opens_what_it_is_for_and_nothing_else(
    gateway: ExchangeGateway,
    subject: str,
    client: str,
    audience: list[str],
    statuses: dict[str, int],
) -> None:
    token = await gateway.get_token(client, gateway.subjects[subject], *audience)
    assert {path: (await gateway.call(path, token)).status for path in statuses} == statuses


async def test_a_service_reads_who_calls_and_who_acts(gateway: ExchangeGateway) -> None:
    token = await gateway.get_token("bff", gateway.subjects["user"], "stock")
    (seen,) = (await gateway.call("/stock/1", token)).document
    claims = read_claims(seen)
    assert (claims["aud"], claims["sub"]) == ("stock", f"{PROVIDER}#alice")
    assert claims["act"] == {
        "iss": GATEWAY,
        "sub": GATEWAY,
        "act": {"iss": GATEWAY, "sub": "bff", "act": {"iss": PROVIDER, "sub": "shop-app"}},
    }


@pytest.mark.parametrize("kind", ["token", "subject", "former client", "exchanged token", "client"])
async def test_a_revocation_also_revokes_what_came_from_the_token(
    gateway: ExchangeGateway, kind: str
) -> None:
    name = kind.replace(" ", "-")
    user = sign(jti=f"of-{name}", sub=f"user-{name}", client_id=f"app-{name}")
    first = await gateway.get_token("removed" if kind == "client" else "courier", user, "stock")
    second = await gateway.get_token("bff", first, "stock")
    other = await gateway.get_token("bff", gateway.subjects["user"], "stock")
    assert (await gateway.call("/stock/1", second)).status == 200
    revoked = {
        "token": (RevocationKind.TOKEN, PROVIDER, f"of-{name}"),
        "subject": (RevocationKind.SUBJECT, PROVIDER, f"user-{name}"),
        "former client": (RevocationKind.CLIENT, PROVIDER, f"app-{name}"),
        "exchanged token": (RevocationKind.TOKEN, GATEWAY, read_claims(first)["jti"]),
        "client": (RevocationKind.CLIENT, GATEWAY, "removed"),
    }
    await gateway.revoke(*revoked[kind])
    assert (await gateway.call("/stock/1", second)).status == 401
    assert (await gateway.exchange("bff", second)).document["error"] == "invalid_request"
    assert (await gateway.call("/stock/1", other)).status == 200


@pytest.mark.parametrize("char", ["\U0001f600", "ä"])
async def test_a_token_that_would_be_refused_is_not_issued(
    gateway: ExchangeGateway, char: str
) -> None:
    user = sign(sub=char * 255, client_id=char * 120, jti=char * 60)
    assert (await gateway.call("/stock/1", user)).status == 200
    reply = await gateway.exchange("bff", user, audience=["stock"])
    if reply.status == 200:
        assert (await gateway.call("/stock/1", reply.document["access_token"])).status == 200
        return
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")
    assert "longer than this server accepts" in reply.document["error_description"]
    assert char == "\U0001f600"


async def test_authlib_exchanges_a_token_that_joserfc_verifies(gateway: ExchangeGateway) -> None:
    async with AsyncOAuth2Client("bff", SECRET) as client:
        token = await client.fetch_token(
            f"{gateway.url}/oauth/token",
            grant_type=GRANT_TYPE,
            subject_token=gateway.subjects["user"],
            subject_token_type=ACCESS_TOKEN,
            audience="stock",
        )
    keys = KeySet.import_key_set((await gateway.get("/.well-known/jwks.json")).json())
    verified = jose_jwt.decode(token["access_token"], keys, algorithms=["ES256"])
    assert verified.header["typ"] == "at+jwt"
    assert verified.claims["act"]["sub"] == "bff"


async def test_an_endless_chain_ends(gateway: ExchangeGateway) -> None:
    token = gateway.subjects["user of another provider"]
    for _ in range(4):
        token = await gateway.get_token("relay", token, "orders")
    reply = await gateway.exchange("relay", token, audience=["orders"])
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")
    act = read_claims(token)["act"]
    assert (act["sub"], act["act"]["sub"], "act" in act["act"]) == ("relay", "shop-app", False)


@pytest.mark.parametrize("depth", [2, 3, 4, 9])
async def test_a_provider_s_chain_of_actors_is_bounded(
    gateway: ExchangeGateway, depth: int
) -> None:
    act: dict[str, Any] = {}
    for number in range(depth):
        act = {"sub": f"service-{number}", **({"act": act} if act else {})}
    reply = await gateway.exchange("bff", sign(act=act), audience=["stock"])
    if depth == 2:  # with the client of the provider and bff, these are four
        assert reply.status == 200
    else:
        assert (reply.status, reply.document["error"]) == (400, "invalid_request")


async def test_each_exchange_is_logged_without_a_token(gateway: ExchangeGateway) -> None:
    gateway.log.clear()
    user = gateway.subjects["user"]
    token = await gateway.get_token("bff", user, "stock")
    await gateway.exchange("bff", user, audience=["orders"])
    (line,) = [it for it in gateway.log.lines if it["event"] == "token.exchanged"]
    assert {name: value for name, value in line.items() if name not in {"at", "level"}} == {
        "event": "token.exchanged",
        "logger": "lockgate.oauth",
        "client_id": "bff",
        "subject": f"{PROVIDER}#alice",
        "services": "stock",
        "scopes": "stock:read",
        "actors": f"{PROVIDER}#shop-app",
        "subject_token_id": read_claims(user)["jti"],
    }
    await gateway.served.settle(2)
    assert (gateway.log.completed[-1]["client_id"], gateway.log.completed[-1]["error"]) == (
        "bff",
        "invalid_target",
    )
    for secret in (user, token, token.rpartition(".")[2], "lgs_"):
        assert not [it for it in gateway.log.lines if secret in str(it)]
