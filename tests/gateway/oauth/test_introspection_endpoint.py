"""POST /oauth/introspect, on a socket: what is active for whom, and what it then says."""

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio

from gateway.api_keys.api_key import generate_text
from gateway.auth.principal import Actor, SourceToken
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.identity.internal_tokens import InternalTokens
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER
from tests.gateway.errors.served import Reply
from tests.gateway.identity.callers import make_caller
from tests.gateway.oauth.oauth_gateway import GATEWAY, SECRET, OAuthGateway, basic
from tests.gateway.oauth.own_token_gateway import (
    INTERNAL_TYPE,
    Signer,
    find_reason,
    make_provider_token,
    revoke_in,
    serve_own_tokens,
)

PATH = "/oauth/introspect"
INACTIVE = {"active": False}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    async with serve_own_tokens(tmp_path_factory.mktemp("introspect")) as served:
        yield served


@pytest.fixture(scope="module")
def signer(gateway: OAuthGateway) -> Signer:
    return Signer(gateway)


async def ask(gateway: OAuthGateway, token: str, client: str = "bff", **form: str) -> Reply:
    return await gateway.post({"token": token, **form}, basic(client, SECRET), PATH)


async def describe(gateway: OAuthGateway, token: str, client: str = "bff") -> Any:
    reply = await ask(gateway, token, client)
    assert (reply.status, reply.header("cache-control")) == (200, ["no-store"])
    return reply.document


def issue_internal(gateway: OAuthGateway, service: str = "inventory", **caller: Any) -> str:
    tokens: InternalTokens = gateway.app.state.resources[InternalTokens]
    defaults = {"issuer": ISSUER, "expires_at": time.time() + 600, "issued_at": time.time() - 60}
    principal = make_caller(**{**defaults, **caller})
    return tokens.issue(principal, service, ("stock:read",))


async def test_a_token_of_the_client_is_described(gateway: OAuthGateway, signer: Signer) -> None:
    token = signer.sign({"jti": "mine"})
    claims = jwt.decode(token, options={"verify_signature": False})
    described = await describe(gateway, token)
    assert described == {"active": True, "token_type": "Bearer", **claims}


async def test_an_exchanged_token_is_described_with_its_actors(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.exchange()
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims["origin"]
    described = await describe(gateway, token, "cart")
    assert described == {"active": True, "token_type": "Bearer", **claims}


async def test_a_token_of_a_provider_is_described_as_the_gateway_reads_it(
    gateway: OAuthGateway,
) -> None:
    token = make_provider_token(sub="42", azp="app", email="jane@example.com", jti="p1")
    described = await describe(gateway, token)
    assert described.pop("exp") - described.pop("iat") == 301
    assert described == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": "42",
        "aud": AUDIENCE,
        "jti": "p1",
        "client_id": "app",
        "user_id": "42",
        "scope": "orders:read",
    }


async def test_a_token_that_is_bound_to_a_key_says_so(
    gateway: OAuthGateway, signer: Signer
) -> None:
    confirmation = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
    token = signer.sign({"cnf": confirmation, "jti": "bound"})
    described = await describe(gateway, token)
    assert (described["token_type"], described["cnf"]) == ("DPoP", confirmation)


@pytest.mark.parametrize(
    ("client", "is_active"), [("bff", True), ("inventory", True), ("cart", False)]
)
async def test_a_token_for_one_service_is_active_for_its_client_and_that_service(
    gateway: OAuthGateway, signer: Signer, client: str, is_active: bool
) -> None:
    described = await describe(gateway, signer.exchange(services=["inventory"]), client)
    assert described["active"] == is_active
    assert described.get("services") == (["inventory"] if is_active else None)


async def test_an_internal_token_is_active_for_its_service_alone(gateway: OAuthGateway) -> None:
    token = issue_internal(gateway)
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims["origin"]
    described = await describe(gateway, token, "inventory")
    assert described == {"active": True, "token_type": "Bearer", **claims}
    assert await describe(gateway, token, "bff") == INACTIVE
    assert find_reason(gateway) == ("wrong_audience", "it is not for the service that asks")


INTERNAL_REVOCATIONS = [
    (RevocationKind.SUBJECT, ISSUER, "s0"),
    (RevocationKind.CLIENT, ISSUER, "c1"),
    (RevocationKind.TOKEN, ISSUER, "t2"),
    (RevocationKind.TOKEN, GATEWAY, "g3"),
    (RevocationKind.TOKEN, GATEWAY, None),
]


@pytest.mark.parametrize("number", range(len(INTERNAL_REVOCATIONS)))
async def test_an_internal_token_ends_with_what_it_comes_from(
    gateway: OAuthGateway, number: int
) -> None:
    kind, issuer, value = INTERNAL_REVOCATIONS[number]
    now = time.time()
    token, other = (
        issue_internal(
            gateway,
            subject=f"s{n}",
            token_id=f"t{n}",
            actors=(Actor(ISSUER, f"c{n}"),),
            sources=(*(SourceToken(GATEWAY, f"f{i}", now - 70) for i in range(3)),
                     SourceToken(GATEWAY, f"g{n}", now - 70)),
        )
        for n in (number, 99)
    )  # fmt: skip
    for it in (token, other):
        assert (await describe(gateway, it, "inventory"))["active"]
    value = value or jwt.decode(token, options={"verify_signature": False})["jti"]
    before = 0.0 if kind is RevocationKind.TOKEN else now
    await revoke_in(gateway, Revocation(kind, issuer, value, before, now + 1_000))
    assert await describe(gateway, token, "inventory") == INACTIVE
    assert (await describe(gateway, other, "inventory"))["active"]


async def test_a_revoked_token_is_not_active(gateway: OAuthGateway, signer: Signer) -> None:
    token = signer.sign({"jti": "revoked"})
    assert (await describe(gateway, token))["active"]
    named = Revocation(RevocationKind.TOKEN, GATEWAY, "revoked", 0.0, time.time() + 1_000)
    await revoke_in(gateway, named)
    assert await describe(gateway, token) == INACTIVE
    assert find_reason(gateway) == ("revoked", "a revocation names its token")


async def test_everything_else_is_not_active_and_nothing_says_why(
    gateway: OAuthGateway, signer: Signer
) -> None:
    now = int(time.time())
    bodies = set()
    for token in (
        "abc",
        "a.b.c",
        "é",
        "\0",
        generate_text(),
        signer.sign({"exp": now - 60, "iat": now - 120}),
        signer.sign({"aud": "inventory"}),
        signer.sign(header={"typ": "JWT"}),
        signer.sign(header={"kid": "another"}),
        signer.sign({"aud": "inventory", "exp": now - 60}, {"typ": INTERNAL_TYPE}),
        signer.sign({"aud": "bff", "sub_id": "a"}, {"typ": INTERNAL_TYPE}),
        signer.sign({"aud": "bff", "exp": "soon"}, {"typ": INTERNAL_TYPE}),
        signer.sign({"aud": "bff", "iss": ISSUER}, {"typ": INTERNAL_TYPE}),
        f"{signer.sign()[:-4]}AAAA",
        make_provider_token(aud="another"),
        make_provider_token(exp=now - 60),
        make_provider_token(iss="https://other.test"),
    ):
        reply = await ask(gateway, token)
        assert (reply.status, reply.document) == (200, INACTIVE), token
        assert find_reason(gateway)[0]
        bodies.add((reply.body, tuple(name for name, _ in reply.headers)))
    assert len(bodies) == 1


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
async def test_the_hint_makes_no_difference(
    gateway: OAuthGateway, signer: Signer, hint: str
) -> None:
    reply = await ask(gateway, signer.sign(), token_type_hint=hint)
    assert reply.document["active"]


async def test_a_client_must_authenticate_and_send_a_token(
    gateway: OAuthGateway, signer: Signer
) -> None:
    form = {"token": signer.sign()}
    bearer = {"Authorization": f"Bearer {form['token']}"}
    for headers in ({}, basic("bff", "wrong"), basic("nobody", SECRET), bearer):
        reply = await gateway.post(form, headers, PATH)
        assert (reply.status, reply.document["error"]) == (401, "invalid_client")
    for wrong in ({}, {"token": ""}):
        reply = await gateway.post(wrong, basic("bff", SECRET), PATH)
        assert (reply.status, reply.document["error"]) == (400, "invalid_request")
    assert (await gateway.get(PATH)).status_code == 405
