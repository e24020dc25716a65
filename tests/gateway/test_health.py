"""The health endpoints: alive, ready, degraded, or unable to verify tokens."""

import asyncio

import httpx
import pytest
from pydantic import RedisDsn

from gateway.app import create_app
from gateway.settings.loader import load_settings
from gateway.settings.schema import Issuer, StorageSettings
from gateway.storage import change_feed
from gateway.testing import TestGateway, lockgate
from tests.databases import upgrade_database
from tests.postgresql_server import PostgresqlServer


async def test_a_process_that_serves_is_alive() -> None:
    async with lockgate() as gateway:
        answer = await gateway.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_gateway_with_all_dependencies_is_ready() -> None:
    async with lockgate() as gateway:
        answer = await gateway.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert list(answer.json()["issuers"].values()) == ["ok"]


async def test_a_gateway_without_its_redis_is_degraded_and_still_serves() -> None:
    lost = load_settings().model_copy(update={"redis_url": RedisDsn("redis://127.0.0.1:1/0")})
    async with lockgate(lost) as gateway:
        ready = await gateway.get("/readyz")
        page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert page.status_code == 200
    assert page.headers["lockgate-limits"] == "local"


async def test_a_gateway_that_cannot_verify_tokens_is_not_ready() -> None:
    unreachable = Issuer.model_validate(
        {"issuer": "x", "audience": "y", "jwks_url": "http://127.0.0.1:1/jwks"}
    )
    app = create_app(load_settings().model_copy(update={"issuers": (unreachable,)}))
    wire = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=wire, base_url="http://x") as http,
    ):
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"


async def test_a_gateway_is_ready_once_it_has_read_its_database(
    own_postgresql: PostgresqlServer,
) -> None:
    url = upgrade_database(own_postgresql.create_database())
    settings = load_settings().model_copy(update={"database_url": url})
    own_postgresql.kill()
    async with lockgate(settings) as gateway:
        loading = await gateway.get("/readyz")
        assert (loading.status_code, loading.json()["database"]) == (503, "loading")
        assert loading.json()["status"] == "unavailable"
        own_postgresql.start()
        ready = await _wait_for(gateway, "ok")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


async def test_a_gateway_that_has_lost_its_database_is_degraded(
    own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "_MIN_STALE_SECONDS", 0.0)
    settings = load_settings().model_copy(
        update={
            "database_url": upgrade_database(own_postgresql.create_database()),
            "storage": StorageSettings(poll_seconds=0.05),
        }
    )
    async with lockgate(settings) as gateway:
        await _wait_for(gateway, "ok")
        own_postgresql.kill()
        lost = await _wait_for(gateway, "unavailable")
    assert (lost.status_code, lost.json()["status"]) == (200, "degraded")


async def _wait_for(gateway: TestGateway, state: str) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            response = await gateway.get("/readyz")
            if response.json()["database"] == state:
                return response
            await asyncio.sleep(0.05)
