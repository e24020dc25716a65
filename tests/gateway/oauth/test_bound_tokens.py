"""Tokens that the gateway issues for a DPoP proof, from the token request to the route."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import APIRouter

from gateway.auth import Caller, requires
from gateway.settings.schema import Counters
from tests.gateway.dpop.bound_app import INVALID_PROOF, INVALID_TOKEN
from tests.gateway.dpop.proofs import (
    KEY,
    OTHER_KEY,
    compute_thumbprint,
    make_proof,
    prove,
)
from tests.gateway.errors.served import Reply, build_request
from tests.gateway.oauth.exchange_gateway import (
    ExchangeGateway,
    read_claims,
    serve_exchanges,
    sign,
)
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    basic,
    make_client,
    serve_oauth,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRANT = {"grant_type": "client_credentials"}
TOKEN_URL = f"{GATEWAY}/oauth/token"
THUMBPRINT = compute_thumbprint(KEY)

router = APIRouter()


@router.get("/bound", dependencies=[requires("orders:read", dpop=True)])
async def get_bound(caller: Caller) -> dict[str, Any]:
    return {"caller": caller.subject, "key": caller.key_thumbprint}


@router.get("/free", dependencies=[requires("orders:read")])
async def get_free(caller: Caller) -> dict[str, Any]:
    return {"caller": caller.subject, "key": caller.key_thumbprint}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    folder = tmp_path_factory.mktemp("bound")
    async with serve_oauth(folder, make_client("bff", SECRET), routers=[router]) as served:
        yield served


def make_token_proof(**options: Any) -> str:
    return make_proof(**{"htm": "POST", "htu": TOKEN_URL, **options})


async def ask(gateway: OAuthGateway, proof: str | None = None) -> Reply:
    """Send a token request, with a proof or without one."""
    fields = {} if proof is None else {"DPoP": proof}
    return await gateway.post(GRANT, {**basic("bff", SECRET), **fields})


async def get(gateway: OAuthGateway, path: str, headers: dict[str, str]) -> Reply:
    (reply,) = await gateway.served.send(build_request(path, headers=headers))
    return reply


async def test_a_token_is_bound_to_the_key_of_the_proof(gateway: OAuthGateway) -> None:
    reply = await ask(gateway, make_token_proof())
    assert reply.status == 200, reply.document
    assert reply.document["token_type"] == "DPoP"
    token = reply.document["access_token"]
    assert read_claims(token)["cnf"] == {"jkt": THUMBPRINT}
    for path in ("/bound", "/free"):
        url = f"{GATEWAY}{path}"
        served = await get(gateway, path, prove(token, htu=url))
        assert (served.status, served.document) == (200, {"caller": "bff", "key": THUMBPRINT})
        for headers in (
            {"Authorization": f"Bearer {token}"},
            prove(token, htu=url, key=OTHER_KEY),
        ):
            refused = await get(gateway, path, headers)
            assert (refused.status, refused.header("www-authenticate")) == (401, [INVALID_TOKEN])


async def test_without_a_proof_a_token_is_not_bound(gateway: OAuthGateway) -> None:
    reply = await ask(gateway)
    assert reply.document["token_type"] == "Bearer"
    token = reply.document["access_token"]
    assert "cnf" not in read_claims(token)
    assert (await get(gateway, "/free", {"Authorization": f"Bearer {token}"})).status == 200
    assert (await get(gateway, "/bound", {"Authorization": f"Bearer {token}"})).status == 401


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("proof_htm", {"htm": "GET"}),
        ("proof_htu", {"htu": f"{GATEWAY}/oauth/revoke"}),
        ("proof_htu", {"htu": "https://x/oauth/token"}),
        ("proof_iat", {"iat": 1}),
        ("proof_jti", {"jti": ...}),
        ("proof_type", {"header": {"typ": "JWT"}}),
        ("proof_algorithm", {"header": {"alg": "none"}}),
        ("proof_key", {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}),
        ("proof_signature", {"signature": b"\0" * 64}),
    ],
)
async def test_a_wrong_proof_is_refused(
    gateway: OAuthGateway, reason: str, options: dict[str, Any]
) -> None:
    gateway.log.clear()
    reply = await ask(gateway, make_token_proof(**options))
    assert (reply.status, reply.document["error"]) == (400, "invalid_dpop_proof")
    assert reply.header("cache-control") == ["no-store"]
    await gateway.served.settle(1)
    assert gateway.log.completed[-1]["explanation"].startswith(f"{reason}: ")


async def test_two_proofs_are_refused(gateway: OAuthGateway) -> None:
    fields = {**basic("bff", SECRET), "DPoP": make_token_proof(), "dpop": make_token_proof()}
    reply = await gateway.post(GRANT, fields)
    assert (reply.status, reply.document["error"]) == (400, "invalid_dpop_proof")


async def test_one_of_many_requests_with_one_proof_gets_a_token(gateway: OAuthGateway) -> None:
    proof = make_token_proof()
    replies = await asyncio.gather(*(ask(gateway, proof) for _ in range(10)))
    assert sorted(reply.status for reply in replies) == [200] + [400] * 9


async def test_a_proof_of_the_token_request_is_good_for_no_route(gateway: OAuthGateway) -> None:
    proof = make_token_proof()
    token = (await ask(gateway, proof)).document["access_token"]
    reply = await get(gateway, "/bound", {"Authorization": f"DPoP {token}", "DPoP": proof})
    assert (reply.status, reply.header("www-authenticate")) == (401, [INVALID_PROOF])


async def test_a_client_that_is_not_known_uses_up_no_proof(gateway: OAuthGateway) -> None:
    proof = make_token_proof()
    fields = {**basic("bff", "lgs_wrong"), "DPoP": proof}
    assert (await gateway.post(GRANT, fields)).status == 401
    assert (await ask(gateway, proof)).status == 200


async def test_the_metadata_name_the_algorithms(gateway: OAuthGateway) -> None:
    metadata = (await gateway.get("/.well-known/oauth-authorization-server")).json()
    assert "ES256" in metadata["dpop_signing_alg_values_supported"]
    assert not {"none", "HS256"} & set(metadata["dpop_signing_alg_values_supported"])


async def test_introspection_and_revocation_of_a_bound_token(gateway: OAuthGateway) -> None:
    token = (await ask(gateway, make_token_proof())).document["access_token"]
    credentials = basic("bff", SECRET)
    described = await gateway.post({"token": token}, credentials, "/oauth/introspect")
    assert (described.document["token_type"], described.document["cnf"]) == (
        "DPoP",
        {"jkt": THUMBPRINT},
    )
    assert (await gateway.post({"token": token}, credentials, "/oauth/revoke")).status == 200
    reply = await get(gateway, "/free", prove(token, htu=f"{GATEWAY}/free"))
    assert (reply.status, reply.header("www-authenticate")) == (401, [INVALID_TOKEN])


async def test_several_processes_without_redis_neither_bind_tokens_nor_accept_bound_ones(
    gateway: OAuthGateway, tmp_path: Path
) -> None:
    """Each process would accept a proof once."""
    token = (await ask(gateway, make_token_proof())).document["access_token"]
    two = {"counters": Counters(processes=2), "identity": gateway.settings.identity}
    free = [APIRouter(routes=[route for route in router.routes if route.path == "/free"])]  # type: ignore[attr-defined]
    async with serve_oauth(tmp_path, make_client("bff", SECRET), routers=free, **two) as others:
        others.log.clear()
        reply = await ask(others, make_token_proof())
        assert (reply.status, reply.document["error"]) == (400, "invalid_dpop_proof")
        assert (await ask(others)).document["token_type"] == "Bearer"
        refused = await get(others, "/free", prove(token, htu=f"{GATEWAY}/free"))
        assert (refused.status, refused.header("www-authenticate")) == (401, [INVALID_TOKEN])
        await others.served.settle(3)
        explained, _, bound = others.log.completed
        assert explained["explanation"].startswith("proofs_unsupported: ")
        assert "redis_url" in explained["explanation"]
        assert bound["reason"] == "proofs_unsupported"
        metadata = (await others.get("/.well-known/oauth-authorization-server")).json()
        assert "dpop_signing_alg_values_supported" not in metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchanges(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ExchangeGateway]:
    async with serve_exchanges(tmp_path_factory.mktemp("exchanges")) as served:
        yield served


async def test_an_exchanged_token_is_bound_to_the_key_of_the_client(
    exchanges: ExchangeGateway,
) -> None:
    body = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": sign(),
        "audience": "stock",
    }
    reply = await exchanges.post(body, {**basic("bff", SECRET), "DPoP": make_token_proof()})
    assert reply.status == 200, reply.document
    assert reply.document["token_type"] == "DPoP"
    token = reply.document["access_token"]
    claims = read_claims(token)
    assert (claims["cnf"], claims["act"]["sub"]) == ({"jkt": THUMBPRINT}, "bff")
    url = f"{GATEWAY}/stock/1"
    assert (await get(exchanges, "/stock/1", prove(token, htu=url))).status == 200
    assert (await exchanges.call("/stock/1", token)).status == 401
    # It is the client's alone: no other client can exchange it further.
    again = {**body, "subject_token": token}
    refused = await exchanges.post(again, {**basic("bff", SECRET), "DPoP": make_token_proof()})
    assert (refused.status, refused.document["error"]) == (400, "invalid_request")


async def test_a_bound_token_of_a_provider_is_no_subject_token(exchanges: ExchangeGateway) -> None:
    token = sign(cnf={"jkt": THUMBPRINT})
    reply = await exchanges.exchange("bff", token, audience=["stock"])
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")
