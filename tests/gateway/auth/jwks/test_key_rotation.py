"""Keys change under load, and no good token is ever refused: with a provider on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count

import httpx
import pytest

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth.conftest import Gateway, bearer
from tests.gateway.auth.identity_provider import IdentityProvider
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, get_signing_key, make_token

OLD, NEW = get_signing_key("ES256", "old"), get_signing_key("EdDSA", "new")
COOLDOWN = 0.2


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    idp = IdentityProvider()
    idp.keys = [OLD]
    async with idp.serving():
        yield idp


@pytest.fixture
async def verifier(idp: IdentityProvider) -> AsyncIterator[TokenVerifier]:
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=idp.jwks_url)
    tokens = Tokens(keys_cooldown_seconds=COOLDOWN, keys_timeout_seconds=5, cache_entries=64)
    async with open_verifier([issuer], tokens) as verifier:
        yield verifier


async def _statuses(client: httpx.AsyncClient, tokens: Sequence[str]) -> list[int]:
    answers = await asyncio.gather(*(client.get("/me", headers=bearer(t)) for t in tokens))
    return [answer.status_code for answer in answers]


def _noise(many: int) -> list[str]:
    return [make_token(header={"kid": f"noise {n}"}, key=NEW) for n in range(many)]


async def test_old_and_new_tokens_flow_while_strangers_make_noise(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    numbers = count()
    served: list[int] = []

    async def flow(kids: int) -> None:
        keys = [OLD, NEW][:kids]
        tokens = [
            make_token({"jti": str(next(numbers))}, key=key) for key in keys for _ in range(10)
        ]
        served.extend(await _statuses(client, tokens))

    noise = asyncio.create_task(_statuses(client, _noise(100)))
    await flow(kids=1)
    idp.keys = [OLD, NEW]
    for _ in range(5):
        await flow(kids=2)
    assert set(served) == {200}
    assert set(await noise) == {401}


async def test_noise_costs_one_fetch_per_cooldown(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    tokens = _noise(300)
    for _ in range(3):
        assert set(await _statuses(client, tokens)) <= {401, 503}
    assert len(idp.asked) <= 2 + (loop.time() - started) / COOLDOWN


async def test_junk_that_needs_no_key_costs_no_fetch(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    junk = [
        make_token(header={"kid": "unknown", "alg": "HS256"}),
        make_token(header={"kid": "unknown", "typ": "JOSE"}),
        make_token(header={"kid": "unknown", "crit": []}),
        make_token({"iss": "https://elsewhere.test"}, {"kid": "unknown"}),
        make_token({"aud": "elsewhere"}, {"kid": "unknown"}),
        make_token({"exp": 1}, {"kid": "unknown"}),
        make_token({"sub": ...}, {"kid": "unknown"}),
        make_token({"scope": 1}, {"kid": "unknown"}),
    ]
    assert await _statuses(client, junk) == [401] * len(junk)
    assert idp.asked == ["/keys"]


async def test_a_key_taken_back_is_forgotten_with_all_its_tokens(
    idp: IdentityProvider, client: httpx.AsyncClient
) -> None:
    idp.keys = [OLD, NEW]
    old, new = make_token(key=OLD), make_token(key=NEW)
    assert await _statuses(client, [old, new]) == [200, 200]
    idp.keys = [NEW]
    await _statuses(client, _noise(1))
    assert await _statuses(client, [old, new]) == [401, 200]


async def test_the_provider_goes_and_comes_back(
    idp: IdentityProvider, verifier: TokenVerifier, gateway: Gateway
) -> None:
    client = gateway(verifier)
    well, back = idp.behave, asyncio.Event()

    async def down(_path: str, writer: asyncio.StreamWriter) -> None:
        writer.close()
        if verifier.health() == {ISSUER: "stale"}:
            back.set()

    idp.behave = down
    answer = await client.get("/me", headers=bearer(make_token(key=NEW)))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["title"] == "Identity provider unavailable"
    assert await _statuses(client, [make_token(key=OLD)]) == [200]
    await back.wait()  # it is asked again without anybody's asking
    idp.keys, idp.behave = [OLD, NEW], well
    while verifier.health() != {ISSUER: "ok"}:  # noqa: ASYNC110 - as an orchestrator does
        await asyncio.sleep(COOLDOWN / 4)
    assert await _statuses(client, [make_token(key=NEW), make_token(key=OLD)]) == [200, 200]
    assert verifier.health() == {ISSUER: "ok"}


async def test_it_starts_without_its_provider(gateway: Gateway) -> None:
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url="http://127.0.0.1:1/keys")
    async with open_verifier([issuer], Tokens()) as verifier:
        assert verifier.health() == {ISSUER: "no keys"}
        answer = await gateway(verifier).get("/me", headers=bearer(make_token(key=OLD)))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
