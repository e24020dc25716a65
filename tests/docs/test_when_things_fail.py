"""The failures of OAuth in docs/explanation/when-things-fail.md happen as the page says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from gateway.access import MayExchange
from gateway.auth import Caller, requires
from gateway.identity.encryption_rotation import create_key_file
from gateway.oauth.grants.token_exchange import ACCESS_TOKEN, GRANT_TYPE
from gateway.settings.schema import Identity, Issuer, Settings, StorageSettings
from gateway.storage.open_storage import Storage
from tests.databases import upgrade_database, wait_until
from tests.gateway.dpop.proofs import make_proof, prove
from tests.gateway.errors.served import Reply, build_request, serve
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.exchange_gateway import AUDIENCE, PROVIDER
from tests.gateway.oauth.exchange_gateway import sign as sign_subject
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    add_in,
    basic,
    make_client,
    make_settings,
)
from tests.postgresql_server import PostgresqlServer
from tests.redis_server import RedisServer, find_free_port

GRANT = {"grant_type": "client_credentials"}
BFF = basic("bff", SECRET)
TOKEN_URL = f"{GATEWAY}/oauth/token"

OK = (200, None)
NO_DATABASE = (503, "Database unavailable")
NO_PROVIDER = (503, "Identity provider unavailable")
NO_CACHE = (503, "Replay protection unavailable")

router = APIRouter()


@router.get("/orders", dependencies=[requires("orders:read")])
async def get_orders(caller: Caller) -> str:
    return caller.subject


@asynccontextmanager
async def serve_gateway(settings: Settings, folder: Path) -> AsyncIterator[OAuthGateway]:
    apps: list[FastAPI] = []
    access = [MayExchange("bff", services="*", scopes="orders:read", on_behalf_of="clients")]
    async with serve(router, prepare=apps.append, settings=settings, access=access) as served:
        yield OAuthGateway(served, folder, settings, apps[0])


async def wait_until_loaded(gateway: OAuthGateway) -> None:
    storage: Storage = gateway.app.state.resources[Storage]
    await wait_until(lambda: storage.feed.is_loaded)


def configure(folder: Path, database_url: str, **settings: Any) -> Settings:
    """Return settings with the signing keys in a database that has two clients."""
    key_file = folder / "database.key"
    create_key_file(key_file)
    made = Settings(
        database_url=database_url,
        identity=Identity(issuer=GATEWAY, key_file=key_file),
        storage=StorageSettings(timeout_seconds=3, poll_seconds=0.05),
        **settings,
    )
    upgrade_database(database_url)
    add_in(made, make_client("bff", SECRET))
    add_in(made, make_client("signer", public_keys=[publish("ec")]))
    return made


async def send_all(gateway: OAuthGateway, tokens: Mapping[str, str]) -> dict[str, Any]:
    """Send a request of each kind; return the status, and the title of a problem."""
    token, bound = {"token": tokens["plain"]}, prove(tokens["bound"], htu=f"{GATEWAY}/orders")

    async def get(path: str, headers: Mapping[str, str]) -> Reply:
        (reply,) = await gateway.served.send(build_request(path, headers=headers))
        return reply

    gateway.log.clear()
    replies = {
        "secret": await gateway.post(GRANT, BFF),
        "assertion": await gateway.post(present(sign(make_claims()))),
        "proof": await gateway.post(GRANT, {**BFF, "DPoP": make_proof(htm="POST", htu=TOKEN_URL)}),
        "exchange": await gateway.post(exchange(tokens["plain"]), BFF),
        "introspection": await gateway.post(token, BFF, "/oauth/introspect"),
        "revocation": await gateway.post({"token": tokens["extra"]}, BFF, "/oauth/revoke"),
        "a token on a route": await get("/orders", {"Authorization": f"Bearer {token['token']}"}),
        "a bound token on a route": await get("/orders", bound),
        "key set": await get("/.well-known/jwks.json", {}),
        "metadata": await get("/.well-known/oauth-authorization-server", {}),
    }
    for name, reply in replies.items():
        assert reply.status == 200 or reply.header("retry-after") == ["1"], (name, reply)
    await gateway.served.settle(len(replies))
    refused = [line for line in gateway.log.completed if line["status"] == 503]
    assert all(
        line.get("explanation") for line in refused if line["route"] != "/.well-known/jwks.json"
    ), refused
    return {
        name: (it.status, None if it.status == 200 else it.document["title"])
        for name, it in replies.items()
    }


async def get_tokens(gateway: OAuthGateway) -> dict[str, str]:
    """Get a token, one that is bound to a key, and one to be revoked."""
    proof = {"DPoP": make_proof(htm="POST", htu=TOKEN_URL)}
    replies = {
        "plain": await gateway.post(GRANT, BFF),
        "bound": await gateway.post(GRANT, {**BFF, **proof}),
        "extra": await gateway.post(GRANT, BFF),
    }
    return {name: reply.document["access_token"] for name, reply in replies.items()}


def exchange(token: str) -> dict[str, str]:
    form = {"grant_type": GRANT_TYPE, "subject_token_type": ACCESS_TOKEN}
    return {**form, "subject_token": token}


async def get_readiness(gateway: OAuthGateway) -> tuple[int, Any]:
    response = await gateway.get("/readyz")
    return response.status_code, response.json()


async def test_the_database_is_down(own_postgresql: PostgresqlServer, tmp_path: Path) -> None:
    settings = configure(tmp_path, own_postgresql.create_database())
    async with serve_gateway(settings, tmp_path) as gateway:
        await wait_until_loaded(gateway)
        tokens = await get_tokens(gateway)
        own_postgresql.kill()
        down = await send_all(gateway, tokens)
        need = {name for name, found in down.items() if found == NO_DATABASE}
        assert need == {"assertion", "revocation"}
        assert all(found == OK for name, found in down.items() if name not in need), down
    async with serve_gateway(settings, tmp_path) as gateway:
        unread = await send_all(gateway, tokens)
        assert unread.pop("metadata") == OK
        assert set(unread.values()) == {NO_DATABASE}, unread
        status, document = await get_readiness(gateway)
        assert (status, document["database"], document["signing_keys"]) == (503, *["loading"] * 2)
        own_postgresql.start()
        await wait_until_loaded(gateway)
        again = await send_all(gateway, tokens)
        assert set(again.values()) == {OK}, again


@pytest.mark.redis
async def test_redis_is_down(
    postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    url = postgresql.create_database()
    settings = configure(tmp_path, url, redis_url=own_redis.url)
    async with serve_gateway(settings, tmp_path) as gateway:
        await wait_until_loaded(gateway)
        tokens = await get_tokens(gateway)
        own_redis.kill()
        down = await send_all(gateway, tokens)
        need = {name for name, found in down.items() if found == NO_CACHE}
        assert need == {"proof", "a bound token on a route"}
        assert all(found == OK for name, found in down.items() if name not in need), down
        wrong = await gateway.post(GRANT, basic("bff", "another"))
        assert (wrong.status, wrong.header("lockgate-limits")) == (401, ["local"])


@pytest.mark.redis
async def test_an_assertion_needs_the_database_whether_or_not_there_is_redis(
    own_postgresql: PostgresqlServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    url = own_postgresql.create_database()
    settings = configure(tmp_path, url, redis_url=redis_server.url)
    async with serve_gateway(settings, tmp_path) as gateway:
        await wait_until_loaded(gateway)
        own_postgresql.kill()
        reply = await gateway.post(present(sign(make_claims())))
        assert (reply.status, reply.document["title"]) == (503, "Database unavailable")
        assert reply.header("retry-after")


async def test_the_provider_of_a_subject_token_is_down(tmp_path: Path) -> None:
    provider = Issuer.model_validate(
        {
            "issuer": PROVIDER,
            "audience": AUDIENCE,
            "jwks_url": f"http://127.0.0.1:{find_free_port()}/keys",
        }
    )
    settings = make_settings(tmp_path, issuers=(provider,))
    add_in(settings, make_client("bff", SECRET))
    async with serve_gateway(settings, tmp_path) as gateway:
        await wait_until_loaded(gateway)
        reply = await gateway.post(exchange(sign_subject()), BFF)
        assert (reply.status, reply.document["title"]) == NO_PROVIDER
        assert reply.header("retry-after")
