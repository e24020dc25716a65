"""Requests above the concurrency limit are refused early; health probes are not."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from gateway import health
from gateway.middleware.load_shedding import LoadShedding


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def http(gate: asyncio.Event) -> httpx.AsyncClient:
    app = FastAPI()
    app.add_middleware(LoadShedding, max_concurrency=2, exempt_paths=health.PATHS)

    @app.get("/work")
    async def work() -> str:
        await gate.wait()
        return "done"

    @app.get("/healthz")
    async def alive() -> str:
        return "ok"

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


async def test_a_request_above_the_limit_is_refused_with_retry_after(
    http: httpx.AsyncClient, gate: asyncio.Event
) -> None:
    async with http:
        running = [asyncio.create_task(http.get("/work")) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await http.get("/work")
        probe = await http.get("/healthz")
        gate.set()
        done = [answer.status_code for answer in await asyncio.gather(*running)]
        after = await http.get("/work")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["title"] == "Overloaded"
    assert probe.status_code == 200
    assert done == [200, 200]
    assert after.status_code == 200
