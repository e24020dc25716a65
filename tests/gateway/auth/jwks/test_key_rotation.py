"""Key rotation under load: no valid token is refused. The provider is on a real socket."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter

from gateway.auth import requires
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.settings.schema import Issuer, Server, Settings, Tokens
from tests.gateway.auth.conftest import ClientFactory, bearer
from tests.gateway.auth.identity_provider import IdentityProvider
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    SigningKey,
    get_signing_key,
    make_token,
)
from tests.gateway.errors.served import Served, build_request, serve

OLD, NEW = get_signing_key("ES256", "old"), get_signing_key("EdDSA", "new")
COOLDOWN = 0.2


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    idp = IdentityProvider()
    idp.keys = [OLD]
    async with idp.serve():
        yield idp


@pytest.fixture
async def verifier(idp: IdentityProvider) -> AsyncIterator[TokenVerifier]:
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=idp.jwks_url)
    tokens = Tokens(keys_cooldown_seconds=COOLDOWN, keys_timeout_seconds=5, cache_entries=64)
    async with open_verifier([issuer], tokens) as verifier:
        yield verifier


async def _get_statuses(client: httpx.AsyncClient, tokens: Sequence[str]) -> list[int]:
    responses = await asyncio.gather(*(client.get("/me", headers=bearer(t)) for t in tokens))
    return [response.status_code for response in responses]


def _make_tokens_with_unknown_kid(count: int) -> list[str]:
    return [make_token(header={"kid": f"unknown {n}"}, key=NEW) for n in range(count)]


async def test_old_and_new_tokens_are_accepted_beside_unknown_key_ids(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    numbers = itertools.count()
    statuses: list[int] = []

    async def send_valid_tokens(*keys: SigningKey) -> None:
        tokens = [
            make_token({"jti": str(next(numbers))}, key=key) for key in keys for _ in range(10)
        ]
        statuses.extend(await _get_statuses(client, tokens))

    unknown = asyncio.create_task(_get_statuses(client, _make_tokens_with_unknown_kid(100)))
    await send_valid_tokens(OLD)
    idp.keys = [OLD, NEW]
    for _ in range(5):
        await send_valid_tokens(OLD, NEW)
    assert set(statuses) == {200}
    assert set(await unknown) == {401}


async def test_unknown_key_ids_cost_one_fetch_per_cooldown(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    tokens = _make_tokens_with_unknown_kid(300)
    for _ in range(3):
        assert set(await _get_statuses(client, tokens)) <= {401, 503}
    assert len(idp.requested_paths) <= 2 + (loop.time() - started) / COOLDOWN


def _build_me_request(token: str) -> bytes:
    return build_request("/me", headers=bearer(token))


async def _flood(gateway: Served, tokens: Sequence[str], max_waiters: int) -> list[str]:
    """Send all tokens, each on a connection of its own, and meet callers with known keys.

    Return the `Retry-After` of those that did not wait.
    """
    flood = [asyncio.create_task(gateway.send(_build_me_request(token))) for token in tokens]
    for sent in itertools.islice(asyncio.as_completed(flood), len(tokens) - max_waiters):
        (refused,) = await sent
        assert (refused.status, refused.document["title"]) == (
            503,
            "Identity provider unavailable",
        )
    for number in range(20):
        token = make_token({"jti": str(number)}, key=OLD)
        (reply,) = await gateway.send(_build_me_request(token))
        assert reply.status == 200
    refusals = [task.result()[0] for task in flood if task.done()]
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    return [retry_after for reply in refusals for retry_after in reply.header("retry-after")]


@pytest.mark.parametrize("issuer_count", [1, 2])
async def test_invented_key_ids_do_not_take_the_places_of_other_requests(
    idp: IdentityProvider, issuer_count: int
) -> None:
    router = APIRouter(dependencies=[requires("dashboard:read")])
    router.get("/me")(lambda: None)
    names = [ISSUER, f"{ISSUER}/2"][:issuer_count]
    settings = Settings(
        server=Server(max_in_flight=20),
        issuers=tuple(
            Issuer(issuer=name, audience=AUDIENCE, jwks_url=idp.jwks_url, user_claim="")
            for name in names
        ),
        tokens=Tokens(keys_cooldown_seconds=60, keys_refresh_seconds=60),
    )
    async with serve(router, settings=settings) as gateway:
        tokens = [
            make_token({"iss": name}, {"kid": f"invented {number}"}, key=NEW)
            for name in names
            for number in range(30)
        ]
        times = await _flood(gateway, tokens, max_waiters=2)
    assert len(times) == len(tokens) - 2
    assert all(1 <= int(seconds) <= 60 for seconds in times)


async def test_a_token_that_is_invalid_without_its_key_costs_no_fetch(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    invalid = [
        make_token(header={"kid": "unknown", "alg": "HS256"}),
        make_token(header={"kid": "unknown", "typ": "JOSE"}),
        make_token(header={"kid": "unknown", "crit": []}),
        make_token({"iss": "https://elsewhere.test"}, {"kid": "unknown"}),
        make_token({"aud": "elsewhere"}, {"kid": "unknown"}),
        make_token({"exp": 1}, {"kid": "unknown"}),
        make_token({"sub": ...}, {"kid": "unknown"}),
        make_token({"nonce": "n"}, {"kid": "unknown"}),
    ]
    assert await _get_statuses(client, invalid) == [401] * len(invalid)
    assert idp.requested_paths == ["/keys"]


async def test_a_withdrawn_key_invalidates_its_cached_tokens(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    idp.keys = [OLD, NEW]
    old, new = make_token(key=OLD), make_token(key=NEW)
    assert await _get_statuses(client, [old, new]) == [200, 200]
    idp.keys = [NEW]
    await _get_statuses(client, _make_tokens_with_unknown_kid(1))
    assert await _get_statuses(client, [old, new]) == [401, 200]


async def test_the_provider_fails_and_recovers(
    idp: IdentityProvider, verifier: TokenVerifier, make_client: ClientFactory
) -> None:
    client = make_client(verifier)
    respond_normally, asked_again = idp.respond, asyncio.Event()

    async def close_connection(_path: str, writer: asyncio.StreamWriter) -> None:
        writer.close()
        if verifier.health() == {ISSUER: "stale"}:
            asked_again.set()

    idp.respond = close_connection
    response = await client.get("/me", headers=bearer(make_token(key=NEW)))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.json()["title"] == "Identity provider unavailable"
    assert await _get_statuses(client, [make_token(key=OLD)]) == [200]
    await asked_again.wait()  # the refresh tries again by itself
    idp.keys, idp.respond = [OLD, NEW], respond_normally
    while verifier.health() != {ISSUER: "ok"}:  # noqa: ASYNC110 - polled, as an orchestrator does
        await asyncio.sleep(COOLDOWN / 4)
    assert await _get_statuses(client, [make_token(key=NEW), make_token(key=OLD)]) == [200, 200]
    assert verifier.health() == {ISSUER: "ok"}


async def test_it_starts_without_the_provider(make_client: ClientFactory) -> None:
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url="http://127.0.0.1:1/keys")
    async with open_verifier([issuer], Tokens()) as verifier:
        assert verifier.health() == {ISSUER: "no keys"}
        response = await make_client(verifier).get("/me", headers=bearer(make_token(key=OLD)))
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")


async def test_a_new_key_under_an_old_id_is_found_within_the_cooldown(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    other = SigningKey("old", "ES256", ec.generate_private_key(ec.SECP256R1()))
    idp.keys = [other]
    await asyncio.sleep(COOLDOWN)
    assert await _get_statuses(client, [make_token(key=other)]) == [200]
    assert await _get_statuses(client, [make_token(key=OLD)]) == [401]
    idp.keys = [get_signing_key("RS256", "old")]  # another algorithm too
    statuses = [401]
    while statuses == [401]:
        statuses = await _get_statuses(client, [make_token(key=idp.keys[0])])
        await asyncio.sleep(COOLDOWN / 4)
    assert statuses == [200]


async def test_bad_signatures_cost_one_fetch_per_cooldown(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(300):
        token = make_token({"jti": str(number)}, key=OLD, signature=b"x" * 64)
        assert await _get_statuses(client, [token]) == [401]
    assert len(idp.requested_paths) <= 2 + (loop.time() - started) / COOLDOWN
    assert await _get_statuses(client, [make_token(key=OLD)]) == [200]


async def test_an_empty_key_set_revokes_cached_tokens(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    token = make_token(key=OLD)
    assert await _get_statuses(client, [token]) == [200]
    idp.keys = []
    await _get_statuses(client, _make_tokens_with_unknown_kid(1))
    assert await _get_statuses(client, [token]) == [401]
