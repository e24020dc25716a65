"""The health endpoints: alive, ready, degraded, or unable to verify tokens."""

import httpx
from pydantic import RedisDsn

from gateway.app import create_app
from gateway.settings.loader import load_settings
from gateway.settings.schema import Issuer
from gateway.testing import lockgate


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
