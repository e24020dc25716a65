"""Bound tokens and their proofs on real sockets: which are accepted, and what refuses the rest."""

import asyncio
import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from gateway.settings.schema import ALGORITHMS, Tokens
from tests.gateway.auth.token_factory import get_signing_key, make_token
from tests.gateway.dpop.bound_app import (
    INVALID_PROOF,
    INVALID_TOKEN,
    NO_TOKEN,
    build_settings,
    find_reason,
    free_router,
    get,
    serve_bound,
)
from tests.gateway.dpop.proofs import (
    KEY,
    ORIGIN,
    OTHER_KEY,
    compute_thumbprint,
    hash_text,
    make_bound_token,
    make_proof,
    prove,
)
from tests.gateway.dpop.wrong_proofs import CLAIMS, FORMS, HEADERS, Case, list_wrong_texts
from tests.gateway.errors.served import Reply, Served, build_request, serve
from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def token() -> str:
    return make_bound_token()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serve_bound() as served:
        yield served


def get_challenge(reply: Reply) -> str:
    (challenge,) = reply.header("www-authenticate")
    return challenge


@pytest.mark.parametrize("path", ["/orders", "/general/orders", "/free", "/free/general"])
async def test_a_bound_token_is_accepted_with_its_proof_once(served: Served, path: str) -> None:
    token = make_bound_token()
    headers = prove(token, path)
    reply = await get(served, headers, path)
    assert reply.status == 200
    assert reply.document == {"caller": "u1", "key": compute_thumbprint(KEY)}
    again = await get(served, headers, path)
    assert (again.status, get_challenge(again)) == (401, INVALID_PROOF)
    assert "DPoP" in again.document["detail"]
    assert (await get(served, prove(token, path), path)).status == 200
    await served.settle(3)
    assert [line.get("reason") for line in served.log.completed] == [None, "proof_used", None]
    logged = str(served.log.lines)
    assert token not in logged
    assert headers["DPoP"] not in logged


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_algorithm_makes_proofs(served: Served, algorithm: str) -> None:
    key = get_signing_key(algorithm, name="client")
    reply = await get(served, prove(make_bound_token(key), key=key))
    assert (reply.status, reply.document["key"]) == (200, compute_thumbprint(key))


@pytest.mark.parametrize("cases", [HEADERS, CLAIMS, FORMS], ids=["header", "claims", "form"])
async def test_a_wrong_proof_is_refused(served: Served, token: str, cases: list[Case]) -> None:
    for name, reason, options in cases:
        served.log.clear()
        reply = await get(served, prove(token, **options))
        found = (reply.status, get_challenge(reply), await find_reason(served))
        assert found == (401, INVALID_PROOF, reason), name
        assert reply.document["type"] == "urn:lockgate:problem:unauthenticated"
        assert served.log.completed[-1]["explanation"], name


async def test_what_is_no_proof_is_refused(served: Served, token: str) -> None:
    for name, reason, text in list_wrong_texts(token):
        served.log.clear()
        reply = await get(served, {"Authorization": f"DPoP {token}", "DPoP": text})
        found = (reply.status, get_challenge(reply), await find_reason(served))
        assert found == (401, INVALID_PROOF, reason), name


async def test_the_proof_of_another_key_is_refused(served: Served, token: str) -> None:
    reply = await get(served, prove(token, key=OTHER_KEY))
    assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
    assert await find_reason(served) == "proof_of_another_key"


async def test_the_proof_for_another_token_of_the_key_is_refused(
    served: Served, token: str
) -> None:
    other = make_bound_token(jti="another")
    headers = {"Authorization": f"DPoP {token}", "DPoP": make_proof(other)}
    assert (await get(served, headers)).status == 401
    assert await find_reason(served) == "proof_ath"


async def test_a_request_has_one_proof(served: Served, token: str) -> None:
    reply = await get(served, {"Authorization": f"DPoP {token}"})
    assert (reply.status, get_challenge(reply)) == (401, INVALID_PROOF)
    assert await find_reason(served) == "no_proof"
    served.log.clear()
    request = build_request("/orders", headers=prove(token))
    second = f"DPoP: {make_proof(token)}\r\n\r\n".encode()
    (reply,) = await served.send(request.removesuffix(b"\r\n") + second)
    assert (reply.status, get_challenge(reply)) == (401, INVALID_PROOF)
    assert await find_reason(served) == "multiple_proofs"


@pytest.mark.parametrize("path", ["/orders", "/general/orders", "/free", "/free/general"])
async def test_a_bound_token_is_no_bearer_token(served: Served, token: str, path: str) -> None:
    for headers in ({}, {"DPoP": make_proof(token, path)}):
        served.log.clear()
        reply = await get(served, {"Authorization": f"Bearer {token}", **headers}, path)
        assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
        assert await find_reason(served) == "bound_token_as_bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
@pytest.mark.parametrize("path", ["/orders", "/general/orders"])
async def test_a_route_that_asks_for_dpop_takes_no_other_token(
    served: Served, path: str, scheme: str
) -> None:
    token = make_token()
    headers = {"Authorization": f"{scheme} {token}", "DPoP": make_proof(token, path)}
    reply = await get(served, headers, path)
    assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
    assert await find_reason(served) == "not_bound"


async def test_a_token_that_is_not_bound_is_sent_as_bearer(served: Served) -> None:
    token = make_token()
    headers = {"Authorization": f"DPoP {token}", "DPoP": make_proof(token, "/free")}
    reply = await get(served, headers, "/free")
    assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
    served.log.clear()
    reply = await get(served, {"Authorization": f"Bearer {token}"}, "/free")
    assert (reply.status, reply.document["key"]) == (200, None)


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, NO_TOKEN),
        ({"Authorization": "Basic dTE6cHc="}, NO_TOKEN),
        ({"Authorization": "Bearer bad"}, INVALID_TOKEN),
        ({"Authorization": "DPoP bad"}, INVALID_TOKEN),
        ({"Authorization": "DPoP"}, INVALID_TOKEN),
        ({"Authorization": "DPoP a, b"}, INVALID_TOKEN),
    ],
    ids=str,
)
async def test_the_challenge_of_a_route_that_asks_for_dpop(
    served: Served, headers: dict[str, str], challenge: str
) -> None:
    reply = await get(served, headers)
    assert (reply.status, get_challenge(reply)) == (401, challenge)


async def test_an_expired_token_is_refused_as_such(served: Served) -> None:
    token = make_bound_token(exp=1_000_000_000)
    reply = await get(served, prove(token, "/free"), "/free")
    assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
    assert await find_reason(served) == "expired"


@pytest.mark.parametrize("cnf", ["key", [], {"jkt": None}, {"jkt": 7}, {"jkt": "short"}], ids=str)
async def test_a_token_that_is_bound_to_nothing_known_is_refused(
    served: Served, cnf: object
) -> None:
    reply = await get(served, {"Authorization": f"Bearer {make_token({'cnf': cnf})}"}, "/free")
    assert (reply.status, await find_reason(served)) == (401, "invalid_cnf")


@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
@pytest.mark.parametrize("cnf", [{}, {"x5t#S256": "a"}, {"kid": "a"}], ids=str)
async def test_a_token_that_is_bound_otherwise_is_refused(
    served: Served, cnf: object, scheme: str
) -> None:
    reply = await get(served, {"Authorization": f"{scheme} {make_token({'cnf': cnf})}"}, "/free")
    assert (reply.status, await find_reason(served)) == (401, "unsupported_confirmation")


async def test_a_confirmation_of_null_is_none(served: Served) -> None:
    reply = await get(served, {"Authorization": f"Bearer {make_token({'cnf': None})}"}, "/free")
    assert reply.status == 200


async def test_a_proof_is_enough_for_a_token_with_a_second_confirmation(served: Served) -> None:
    token = make_token({"cnf": {"jkt": compute_thumbprint(KEY), "x5t#S256": "a"}})
    assert (await get(served, prove(token, "/free"), "/free")).status == 200
    reply = await get(served, {"Authorization": f"Bearer {token}"}, "/free")
    assert (reply.status, await find_reason(served)) == (401, "bound_token_as_bearer")


async def test_head_and_bodies_are_proved_with_their_method(served: Served, token: str) -> None:
    assert (await get(served, prove(token, htm="HEAD"), method="HEAD")).status == 200
    assert (await get(served, prove(token, htm="GET"), method="HEAD")).status == 401
    headers = prove(token, "/notes", htm="POST")
    (reply,) = await served.send(
        build_request("/notes", "POST", body=b'{"text":"a"}', headers=headers)
    )
    assert (reply.status, reply.document) == (200, "a")
    (reply,) = await served.send(build_request("/notes", "POST", body=b"{", headers=headers))
    assert reply.status == 401  # before the body is read


async def test_further_guards_decide_after_the_proof(served: Served, token: str) -> None:
    assert (await get(served, prove(token, "/users/u1"), "/users/u1")).status == 200
    assert (await get(served, prove(token, "/users/u2"), "/users/u2")).status == 403
    poor = make_bound_token(scope="orders:read")
    reply = await get(served, prove(poor), "/orders")
    challenge = 'DPoP realm="lockgate", error="insufficient_scope", scope="dashboard:read"'
    assert (reply.status, get_challenge(reply)) == (403, challenge)


async def test_a_bound_token_is_not_forwarded_by_typed_clients(served: Served, token: str) -> None:
    for headers, is_forwarded in (
        (prove(token, "/forwarded"), False),
        ({"Authorization": f"Bearer {make_token()}"}, True),
    ):
        reply = await get(served, headers, "/forwarded")
        assert (reply.status, reply.document) == (200, is_forwarded)


@pytest.mark.parametrize(
    ("target", "htu"),
    [
        ("/orders?a=1&b=2", f"{ORIGIN}/orders"),
        ("/orders", f"{ORIGIN}/orders?a=1#b"),
        ("/orders", "HTTPS://API.Example.Test:443/orders"),
        ("/orders", f"{ORIGIN}/a/../orders"),
        ("/orders", f"{ORIGIN}/%6Frders"),
        ("/items/a%20b", f"{ORIGIN}/items/a%20b"),
        ("/items/a%c3%a9", f"{ORIGIN}/items/a%C3%A9"),
        ("/items/a%7Eb", f"{ORIGIN}/items/a~b"),
    ],
)
async def test_urls_that_mean_the_same_are_equal(
    served: Served, token: str, target: str, htu: str
) -> None:
    assert (await get(served, prove(token, htu=htu), target)).status == 200


async def test_the_prefix_of_the_gateway_is_part_of_the_url(token: str) -> None:
    async with serve_bound(root_path="/api") as served:
        for target in ("/api/orders", "/orders"):  # a proxy may pass the prefix on or strip it
            assert (await get(served, prove(token, "/api/orders"), target)).status == 200
            assert (await get(served, prove(token, "/orders"), target)).status == 401


async def test_the_time_of_a_proof_may_differ_by_the_setting(token: str) -> None:
    async with serve_bound(build_settings(tokens=Tokens(proof_seconds=200))) as served:
        for difference in (-190, 190):
            proof = prove(token, iat=time.time() + difference)
            assert (await get(served, proof)).status == 200
            assert (await get(served, proof)).status == 401


async def test_one_of_many_requests_with_one_proof_is_served(served: Served, token: str) -> None:
    headers = prove(token)
    replies = await asyncio.gather(*(get(served, headers) for _ in range(20)))
    assert [reply.status for reply in replies].count(200) == 1


async def test_the_jti_of_another_key_is_not_used_up(served: Served, token: str) -> None:
    other = make_bound_token(OTHER_KEY)
    assert (await get(served, prove(token, jti="same"))).status == 200
    assert (await get(served, prove(other, key=OTHER_KEY, jti="same"))).status == 200
    assert (await get(served, prove(token, jti="same"))).status == 401


async def test_a_refused_proof_does_not_use_up_its_jti(served: Served, token: str) -> None:
    assert (await get(served, prove(token, jti="same", htm="POST"))).status == 401
    assert (await get(served, prove(token, jti="same", signature=b"\0" * 64))).status == 401
    assert (await get(served, prove(token, jti="same"))).status == 200


@pytest.mark.redis
async def test_processes_share_the_proofs_through_redis(
    redis_server: RedisServer, token: str
) -> None:
    settings = build_settings(redis_url=redis_server.url)
    async with serve_bound(settings) as one, serve_bound(settings) as other:
        headers = prove(token)
        calls = [get(served, headers) for served in (one, other) for _ in range(10)]
        statuses = [reply.status for reply in await asyncio.gather(*calls)]
        assert statuses.count(200) == 1
        assert statuses.count(401) == 19


@pytest.mark.redis
async def test_without_redis_no_proof_is_accepted(own_redis: RedisServer, token: str) -> None:
    async with serve_bound(build_settings(redis_url=own_redis.url)) as served:
        headers = prove(token)
        assert (await get(served, headers)).status == 200
        own_redis.kill()
        served.log.clear()
        for proof in (headers, prove(token)):
            reply = await get(served, proof)
            assert (reply.status, reply.header("retry-after")) == (503, ["1"])
        bearer = {"Authorization": f"Bearer {make_token()}"}
        assert (await get(served, bearer, "/free")).status == 200
        await served.settle(3)
        assert served.log.completed[0]["explanation"]


async def test_without_an_issuer_a_bound_token_is_refused(token: str) -> None:
    async with serve(free_router, settings=build_settings(None)) as served:
        for headers in (prove(token, "/free"), {"Authorization": f"Bearer {token}"}):
            reply = await get(served, headers, "/free")
            assert (reply.status, get_challenge(reply)) == (401, INVALID_TOKEN)
        await served.settle(2)
        reasons = [line["reason"] for line in served.log.completed]
        assert reasons == ["proofs_unsupported", "bound_token_as_bearer"]


async def test_another_library_makes_proofs(served: Served) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    members = {name: public[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
    token = make_token({"cnf": {"jkt": thumbprint}})
    claims = {"jti": "1", "htm": "GET", "htu": f"{ORIGIN}/orders", "iat": time.time()}
    claims["ath"] = hash_text(token)
    header = {"typ": "dpop+jwt", "jwk": public}
    proof = jwt.encode(claims, private, algorithm="ES256", headers=header)
    reply = await get(served, {"Authorization": f"dpop {token}", "DPoP": proof})
    assert (reply.status, reply.document["key"]) == (200, thumbprint)
