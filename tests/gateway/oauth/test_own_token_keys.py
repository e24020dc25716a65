"""Access tokens of the gateway itself, on a socket: which are accepted, and which are not."""

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.api_keys.api_key import ApiKey, generate_text, hash_text
from gateway.api_keys.key_table import add_key, revoke_key
from gateway.auth.jwks.key_provider import KeyStatus
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.auth.verifier import JwtVerifier, TokenVerifier
from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.oauth_requirements import find_lifetime_errors
from gateway.oauth.own_token_keys import OwnKeys, open_own_tokens
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Identity, Tokens
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage
from tests.databases import wait_until
from tests.gateway.auth.manual_clock import ManualClock
from tests.gateway.auth.token_factory import (
    ISSUER,
    encode_base64url,
    encode_json,
    get_signing_key,
    make_token,
)
from tests.gateway.errors.served import build_request
from tests.gateway.identity.callers import make_caller
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    basic,
    make_settings,
)
from tests.gateway.oauth.own_token_gateway import (
    INTERNAL_TYPE,
    Signer,
    find_reason,
    get,
    make_provider_token,
    revoke_in,
    serve_own_tokens,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    async with serve_own_tokens(tmp_path_factory.mktemp("own")) as served:
        yield served


@pytest.fixture(scope="module")
def signer(gateway: OAuthGateway) -> Signer:
    return Signer(gateway)


async def test_a_token_that_was_issued_is_accepted(gateway: OAuthGateway) -> None:
    grant = {"grant_type": "client_credentials"}
    issued = await gateway.post(grant, basic("bff", SECRET))
    reply = await get(gateway, issued.document["access_token"])
    assert reply.document == {
        "issuer": GATEWAY,
        "subject": "bff",
        "user_id": None,
        "service": "bff",
        "token_issuer": GATEWAY,
        "actors": [[GATEWAY, "bff"]],
    }


async def test_an_exchanged_token_is_that_of_its_subject(
    gateway: OAuthGateway, signer: Signer
) -> None:
    reply = await get(gateway, signer.exchange())
    assert reply.document == {
        "issuer": ISSUER,
        "subject": "42",
        "user_id": "42",
        "service": "bff",
        "token_issuer": GATEWAY,
        "actors": [[GATEWAY, "bff"], [ISSUER, "app"]],
    }


OTHER_KEY = ec.generate_private_key(ec.SECP256R1())

# The changes of the claims, those of the header, and the reason that is logged.
WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"typ": INTERNAL_TYPE}, "wrong_type"),
    ({}, {"typ": "lockgate-ticket+jwt"}, "wrong_type"),
    ({}, {"typ": "JWT"}, "wrong_type"),
    ({}, {"typ": None}, "wrong_type"),
    ({}, {"typ": "dpop+jwt"}, "wrong_type"),
    ({}, {"kid": "another"}, "unknown_key"),
    ({"iss": "https://other.test"}, {}, "unknown_issuer"),
    ({"iss": f"{GATEWAY}/"}, {}, "unknown_issuer"),
    ({"iss": ISSUER}, {}, "wrong_audience"),
    ({"iss": ISSUER, "aud": "gateway"}, {}, "unknown_key"),
    ({"aud": "inventory"}, {}, "wrong_audience"),
    ({"aud": [GATEWAY]}, {}, "wrong_audience"),
    ({"aud": ...}, {}, "wrong_audience"),
    ({"client_id": ...}, {}, "invalid_client_id"),
    ({"client_id": 42}, {}, "invalid_client_id"),
    ({"jti": ...}, {}, "invalid_jti"),
    ({"sub": ...}, {}, "invalid_sub"),
    ({"sub": "cart"}, {}, "invalid_sub"),
    ({"sub_id": "42"}, {}, "invalid_sub"),
    ({"sub_id": {"format": "email", "iss": ISSUER, "sub": "42"}}, {}, "invalid_sub"),
    ({"sub_id": {"format": "iss_sub", "iss": "", "sub": "42"}}, {}, "invalid_iss"),
    ({"sub_id": {"format": "iss_sub", "iss": ISSUER}}, {}, "invalid_sub"),
    ({"exp": timedelta(seconds=-60), "iat": timedelta(seconds=-600)}, {}, "expired"),
    ({"exp": ...}, {}, "invalid_exp"),
    ({"iat": ...}, {}, "invalid_exp"),
    ({"exp": timedelta(seconds=3_700)}, {}, "lives_too_long"),
    ({"iat": timedelta(seconds=300)}, {}, "issued_in_the_future"),
    ({"scope": ["orders:read"]}, {}, "invalid_scope"),
    ({"scope": "orders:read  a"}, {}, "invalid_scope"),
    ({"services": []}, {}, "invalid_services"),
    ({"services": None}, {}, "invalid_services"),
    ({"services": "inventory"}, {}, "invalid_services"),
    ({"services": ["inventory", 1]}, {}, "invalid_services"),
    ({"origin": {}}, {}, "invalid_origin"),
    ({"origin": [{"iss": ISSUER, "jti": str(n)} for n in range(5)]}, {}, "invalid_origin"),
    ({"origin": ["t1"]}, {}, "invalid_origin"),
    ({"origin": [{"jti": "t1"}]}, {}, "invalid_iss"),
    ({"origin": [{"iss": ISSUER, "jti": 1}]}, {}, "invalid_jti"),
]


@pytest.mark.parametrize(("claims", "header", "reason"), WRONG)
async def test_a_wrong_token_is_refused_although_the_signature_is_right(
    gateway: OAuthGateway,
    signer: Signer,
    claims: dict[str, Any],
    header: dict[str, Any],
    reason: str,
) -> None:
    reply = await get(gateway, signer.sign(claims, header))
    assert (reply.status, find_reason(gateway)[0]) == (401, reason)


async def test_a_token_of_another_key_is_refused(gateway: OAuthGateway, signer: Signer) -> None:
    reply = await get(gateway, signer.sign(key=OTHER_KEY))
    assert (reply.status, find_reason(gateway)[0]) == (401, "bad_signature")


@pytest.mark.parametrize(
    ("algorithm", "key"), [("none", None), ("HS256", "a" * 64), ("ES384", None), ("EdDSA", None)]
)
async def test_a_token_of_another_algorithm_is_refused(
    gateway: OAuthGateway, signer: Signer, algorithm: str, key: str | None
) -> None:
    valid = signer.sign()
    header = {**jwt.get_unverified_header(valid), "alg": algorithm}
    _, payload, signature = valid.split(".")
    forged = ".".join([encode_base64url(encode_json(header)), payload, signature])
    if key is not None:
        claims = jwt.decode(valid, options={"verify_signature": False})
        forged = jwt.encode(claims, key, algorithm=algorithm, headers=header)
    assert (await get(gateway, forged)).status == 401
    assert str(find_reason(gateway)[0]).startswith("algorithm_not_allowed")


async def test_a_token_of_a_provider_in_the_name_of_the_gateway_is_refused(
    gateway: OAuthGateway,
) -> None:
    for key in (get_signing_key("RS256"), get_signing_key("ES256")):
        claims = {"iss": GATEWAY, "aud": GATEWAY, "client_id": "u1", "jti": "p1"}
        token = make_token({**claims, "scope": "orders:read"}, {"typ": "at+jwt"}, key=key)
        assert (await get(gateway, token)).status == 401
        assert find_reason(gateway)[0] in {"algorithm_not_allowed", "unknown_key"}


async def test_an_internal_token_is_no_access_token(gateway: OAuthGateway) -> None:
    tokens: InternalTokens = gateway.app.state.resources[InternalTokens]
    caller = make_caller(issuer=ISSUER, expires_at=time.time() + 600)
    for audience in ("inventory", GATEWAY):
        reply = await get(gateway, tokens.issue(caller, audience, ()))
        assert (reply.status, find_reason(gateway)[0]) == (401, "wrong_type")


async def test_an_access_token_is_no_internal_token(gateway: OAuthGateway, signer: Signer) -> None:
    """A service that verifies as our page says refuses it by `aud`, and by `typ`."""
    keys = jwt.PyJWKSet.from_dict((await gateway.get("/.well-known/jwks.json")).json())
    token = signer.sign()
    header = jwt.get_unverified_header(token)
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, keys[header["kid"]], ["ES256"], audience="inventory", issuer=GATEWAY)
    assert header["typ"] != INTERNAL_TYPE


async def test_a_token_of_the_provider_is_accepted_as_before(gateway: OAuthGateway) -> None:
    reply = await get(gateway, make_provider_token(sub="42"))
    assert (reply.status, reply.document["token_issuer"]) == (200, ISSUER)


REVOCATIONS: list[tuple[RevocationKind, str, str]] = [
    (RevocationKind.TOKEN, GATEWAY, "id0"),
    (RevocationKind.TOKEN, ISSUER, "source1"),
    (RevocationKind.SUBJECT, ISSUER, "user2"),
    (RevocationKind.CLIENT, GATEWAY, "client3"),
    (RevocationKind.CLIENT, ISSUER, "app4"),
]


@pytest.mark.parametrize("number", range(len(REVOCATIONS)))
async def test_a_cached_token_is_refused_once_it_or_what_it_comes_from_is_revoked(
    gateway: OAuthGateway, signer: Signer, number: int
) -> None:
    kind, issuer, value = REVOCATIONS[number]
    now = time.time()
    tokens = [
        signer.exchange(
            jti=f"id{n}",
            client_id=f"client{n}",
            sub_id={"format": "iss_sub", "iss": ISSUER, "sub": f"user{n}"},
            origin=[{"iss": ISSUER, "jti": f"source{n}", "iat": int(now) - 60}],
            act={"iss": GATEWAY, "sub": f"client{n}", "act": {"iss": ISSUER, "sub": f"app{n}"}},
            iat=int(now) - 1,
        )
        for n in (number, 99)
    ]
    assert [(await get(gateway, it)).status for it in tokens] == [200, 200]
    before = 0.0 if kind is RevocationKind.TOKEN else now
    await revoke_in(gateway, Revocation(kind, issuer, value, before, now + 1_000))
    assert [(await get(gateway, it)).status for it in tokens] == [401, 200]


RESTRICTED: list[tuple[str, dict[str, str], int]] = [
    ("/inventory/a", {}, 200),
    ("/billing/a", {}, 403),
    ("/caller", {}, 403),
    ("/stream", {}, 403),
    ("/auth/verify", {"X-Original-Method": "GET", "X-Original-URI": "/inventory/a"}, 200),
    ("/auth/verify", {"X-Original-Method": "GET", "X-Original-URI": "/billing/a"}, 403),
    ("/auth/verify", {"X-Original-Method": "GET", "X-Original-URI": "/caller"}, 403),
    ("/healthz", {}, 200),
]


@pytest.mark.parametrize(("path", "headers", "status"), RESTRICTED)
async def test_a_token_for_one_service_is_good_for_its_proxied_routes_alone(
    gateway: OAuthGateway, signer: Signer, path: str, headers: dict[str, str], status: int
) -> None:
    for _ in range(2):  # verified, and from the cache
        reply = await get(gateway, signer.exchange(services=["inventory"]), path, **headers)
        assert reply.status == status
    if status == 403:
        assert reply.document["type"] == "urn:lockgate:problem:wrong-service"
        assert reply.document["token-services"] == ["inventory"]
        assert find_reason(gateway)[0] == "wrong_service"
    both = signer.exchange(services=["inventory", "billing"])
    if path.startswith("/billing"):
        assert (await get(gateway, both, path)).status == 200


async def test_a_token_for_one_service_gets_no_ticket(
    gateway: OAuthGateway, signer: Signer
) -> None:
    body = json.dumps({"path": "/stream"}).encode()
    fields = {"Authorization": f"Bearer {signer.exchange(services=['inventory'])}"}
    request = build_request("/auth/tickets", "POST", body=body, headers=fields)
    (reply,) = await gateway.served.send(request)
    assert (reply.status, reply.document["title"]) == (403, "Wrong service")


async def ask_for_ticket(gateway: OAuthGateway, token: str) -> str:
    body = json.dumps({"path": "/stream"}).encode()
    fields = {"Authorization": f"Bearer {token}"}
    request = build_request("/auth/tickets", "POST", body=body, headers=fields)
    (reply,) = await gateway.served.send(request)
    assert reply.status == 200, reply.document
    return str(reply.document["ticket"])


async def redeem(gateway: OAuthGateway, ticket: str) -> int:
    (reply,) = await gateway.served.send(build_request(f"/stream?ticket={ticket}"))
    return reply.status


async def test_a_ticket_ends_with_what_its_token_comes_from(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.exchange(jti="ticket", origin=[{"iss": ISSUER, "jti": "of-ticket"}])
    tickets = [await ask_for_ticket(gateway, token) for _ in range(2)]
    assert await redeem(gateway, tickets[0]) == 200
    named = Revocation(RevocationKind.TOKEN, ISSUER, "of-ticket", 0.0, time.time() + 1_000)
    await revoke_in(gateway, named)
    assert await redeem(gateway, tickets[1]) == 401


async def test_the_holder_of_an_api_key_gets_a_ticket(gateway: OAuthGateway) -> None:
    """A key may live longer than `tokens.max_lifetime_seconds`, for it is revoked by itself."""
    text, now = generate_text(), time.time()
    key = ApiKey("k1", "printer", hash_text(text), ("orders:read",), now, now + 90 * 86_400)
    storage: Storage = gateway.app.state.resources[Storage]
    await storage.database.write(partial(add_key, key=key, author=Author("jane")))
    await storage.feed.refresh()
    tickets = [await ask_for_ticket(gateway, text) for _ in range(2)]
    assert await redeem(gateway, tickets[0]) == 200
    revoking = partial(revoke_key, key_id="k1", author=Author("jane"), now=now)
    await storage.database.write(revoking)
    await storage.feed.refresh()
    assert await redeem(gateway, tickets[1]) == 401


async def test_readiness_shows_the_keys(gateway: OAuthGateway) -> None:
    assert (await gateway.get("/readyz")).json()["issuers"] == {ISSUER: "ok", GATEWAY: "ok"}


async def test_a_token_outlives_the_rotation_of_its_key(tmp_path: Path) -> None:
    async with serve_own_tokens(tmp_path) as gateway:
        signer = Signer(gateway)
        former = signer.sign()
        assert (await get(gateway, former)).status == 200
        path = tmp_path / "signing.jwks"
        rotate_key_file(path, "EdDSA", time.time())
        keys: SigningKeyProvider = gateway.app.state.resources[SigningKeyProvider]
        await wait_until(lambda: len(keys.get_keys().ids) == 2)
        assert (await get(gateway, former)).status == 200


async def test_keys_of_the_database_verify_as_those_of_a_file_do(tmp_path: Path) -> None:
    create_key_file(tmp_path / "keys.jwks")
    identity = Identity(issuer=GATEWAY, key_file=tmp_path / "keys.jwks")
    async with serve_own_tokens(tmp_path, identity=identity) as gateway:
        grant = {"grant_type": "client_credentials"}
        issued = await gateway.post(grant, basic("bff", SECRET))
        reply = await get(gateway, issued.document["access_token"])
        assert (reply.status, reply.document["subject"]) == (200, "bff")


def make_keys(keys: SigningKeyProvider, now: float) -> OwnKeys:
    return OwnKeys(GATEWAY, keys, ManualClock(now))


async def test_keys_that_have_not_been_read_are_a_503() -> None:
    provider = SigningKeyProvider()
    keys = make_keys(provider, 0)
    assert keys.health() is KeyStatus.NO_KEYS
    with pytest.raises(DatabaseUnavailable):
        await keys.get_keys("a", "ES256")
    version = keys.version
    key = generate_signing_key("ES256", 0)
    provider.use_keys(SigningKeys([key]))
    assert await keys.refetch(version)
    assert keys.health() is KeyStatus.OK
    assert len(await keys.get_keys(key.key_id, "ES256")) == 1
    assert not await keys.get_keys(key.key_id, "EdDSA")
    assert not await keys.refetch(keys.version)


async def test_without_oauth_no_token_of_the_gateway_is_accepted(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url=None)
    verifier = JwtVerifier({}, Tokens(), ManualClock(0))
    open_own_tokens(settings, Resources(), verifier)
    assert verifier.health() == {}


async def test_a_bound_that_would_refuse_every_own_token_prevents_the_start(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, tokens=Tokens(max_lifetime_seconds=599))
    [error] = find_lifetime_errors(settings)
    assert error.path == "tokens.max_lifetime_seconds"
    with pytest.raises(InvalidSettings, match="which is 600"):
        open_own_tokens(settings, Resources(), JwtVerifier({}, Tokens(), ManualClock(0)))
    assert not list(find_lifetime_errors(make_settings(tmp_path, database_url=None)))


async def test_a_provider_keeps_its_name(gateway: OAuthGateway) -> None:
    resources: Resources = gateway.app.state.resources
    verifier: JwtVerifier = resources[TokenVerifier]
    with pytest.raises(ValueError, match="is an issuer of the settings"):
        open_own_tokens(gateway.settings, resources, verifier)
