"""`reserved(...)` on routes: what is reserved, settled, and left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, HTTPException
from starlette.requests import HTTPConnection

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth.dependencies import public
from gateway.ratelimit import ConcurrencyLimit, RateLimit, Reservation, reserved
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy_in_force import PoliciesInForce
from gateway.settings.schema import Counters, Settings
from tests.redis_server import RedisServer


def read_estimate(connection: HTTPConnection) -> int:
    """Return what the client thinks that its request will cost."""
    return int(connection.headers.get("estimate", "50"))


TOKENS = RateLimit("tokens", "100/hour", per="address", cost=read_estimate)
STEADY = RateLimit("steady", "100/hour", per="address", burst=100, cost=read_estimate)
Tokens = Annotated[Reservation, reserved(TOKENS, STEADY)]
router = APIRouter(dependencies=[public("a test")])


@router.get("/ask/{cost}")
async def ask(cost: int, tokens: Tokens) -> str:
    """Cost something."""
    await tokens.settle(cost)
    return "done"


@router.post("/ask")
async def post(tokens: Tokens, cost: int = Body()) -> str:
    """Cost what the body says, which is read after the reservation."""
    await tokens.settle(cost)
    return "done"


@router.get("/fail")
async def fail(tokens: Tokens) -> str:
    """Never settle."""
    raise HTTPException(418)


@asynccontextmanager
async def open_client(redis_url: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Open the gateway, and a client of it."""
    settings = Settings(redis_url=redis_url, counters=Counters(timeout_ms=1_000))
    app = build_app(settings, Application(routers=[router]))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def read_remaining(client: httpx.AsyncClient) -> str:
    """Look, at no cost."""
    response = await client.get("/ask/0", headers={"Estimate": "0"})
    return response.headers["RateLimit"].replace(";t=36", "")


async def require_settlements(client: httpx.AsyncClient) -> None:
    """Let requests cost less, more, the same and an unknown amount."""
    response = await client.get("/ask/10")
    assert response.headers["RateLimit"].startswith('"tokens";r=50;')
    assert [response.status_code, (await client.get("/ask/10")).status_code] == [200, 200]
    assert (await client.post("/ask", json=20)).status_code == 200
    remaining = await read_remaining(client)
    assert '"tokens";r=60' in remaining
    assert '"steady";r=6' in remaining
    assert (await client.get("/fail")).status_code == 418
    assert '"tokens";r=10' in await read_remaining(client)
    assert (await client.get("/ask/0")).status_code == 429
    assert (await client.get("/ask/500", headers={"Estimate": "10"})).status_code == 200
    assert (await client.get("/ask/0", headers={"Estimate": "1"})).status_code == 429


async def test_a_route_settles_what_it_has_reserved() -> None:
    async with open_client() as client:
        await require_settlements(client)


@pytest.mark.redis
async def test_a_route_settles_in_redis(redis_server: RedisServer) -> None:
    async with open_client(redis_server.url) as client:
        await require_settlements(client)


@pytest.mark.redis
async def test_a_settlement_that_redis_misses_is_logged_and_the_reserve_stays_charged(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(redis_url=own_redis.url, counters=Counters(timeout_ms=500))
    app = build_app(settings, Application())
    async with app.router.lifespan_context(app):
        limits: Limits = app.state.resources[Limits]
        demand = Demand(TOKENS, "user:1", None, 70)
        reservation = await limits.reserve([demand])
        assert reservation.verdict.degraded is None
        own_redis.kill()
        await reservation.settle(10)
        assert "limits.settle_failed" in caplog.text
        # This process has settled its part: it decides alone now.
        degraded = await limits.reserve([demand])
        assert degraded.verdict.admitted
        assert degraded.verdict.degraded == "local"
        await degraded.settle(0)
        assert (await limits.reserve([Demand(TOKENS, "user:1", None, 80)])).verdict.admitted


async def open_reservation(cost: int = 50) -> tuple[Limits, Reservation]:
    """Reserve in process."""
    limits = Limits(MemoryLimiter(), PoliciesInForce())
    return limits, await limits.reserve([Demand(TOKENS, "user:1", None, cost)])


async def test_a_shadow_policy_gives_nothing_back_that_it_would_have_refused() -> None:
    shadow = RateLimit("shadow", "100/hour", shadow=True, cost=60)
    limits = Limits(MemoryLimiter(), PoliciesInForce())
    demand = Demand(shadow, "user:1", None, 60)
    first, second = [await limits.reserve([demand]) for _ in range(2)]
    assert second.verdict.admitted
    await second.settle(0)
    assert (await limits.enforce([demand])).standings[0].remaining == 40
    await first.settle(0)
    assert (await limits.enforce([demand])).standings[0].remaining == 40


@pytest.mark.parametrize("cost", [-1, 10**9, True, "5", 1.5, None])
async def test_an_invalid_cost_is_refused_and_settles_nothing(cost: Any) -> None:
    _, reservation = await open_reservation()
    with pytest.raises((TypeError, ValueError), match="the cost of a request is"):
        await reservation.settle(cost)
    await reservation.settle(5)


async def test_a_reservation_is_settled_once_and_only_if_the_request_was_admitted() -> None:
    limits, reservation = await open_reservation()
    await reservation.settle(50)
    with pytest.raises(RuntimeError, match="was settled before"):
        await reservation.settle(50)
    refused = await limits.reserve([Demand(TOKENS, "user:1", None, 51)])
    with pytest.raises(RuntimeError, match="was refused, and charged nothing"):
        await refused.settle(0)


@pytest.mark.redis
async def test_a_caller_that_is_cancelled_has_settled_nevertheless(
    redis_server: RedisServer,
) -> None:
    settings = Settings(redis_url=redis_server.url, counters=Counters(timeout_ms=1_000))
    app = build_app(settings, Application())
    async with app.router.lifespan_context(app):
        limits: Limits = app.state.resources[Limits]
        reservation = await limits.reserve([Demand(TOKENS, "user:1", None, 100)])
        task = asyncio.create_task(reservation.settle(0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await limits.reserve([Demand(TOKENS, "user:1", None, 100)])).verdict.admitted


def test_only_rate_limits_can_be_reserved() -> None:
    with pytest.raises(TypeError, match="A ConcurrencyLimit has no cost: put it in limited"):
        reserved(ConcurrencyLimit("chats", 5))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="each once; got"):
        reserved(TOKENS, TOKENS)
    with pytest.raises(ValueError, match="one or more policies"):
        reserved()
