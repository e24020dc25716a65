"""The latency of a service, with and without a fault."""

import time

import httpx

from tests.gateway.fakes.raw_http import PROFILE, put_dial


async def test_slow_replaces_the_latency(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="slow", ms=60, latency_ms=600_000)
    started_at = time.monotonic()
    response = await http.get(users + PROFILE)

    assert time.monotonic() - started_at >= 0.055
    assert response.json()["id"] == 7


async def test_latency_delays_a_healthy_response(users: str, http: httpx.AsyncClient) -> None:
    await put_dial(http, users, fault="none", latency_ms=60)
    started_at = time.monotonic()
    response = await http.get(users + PROFILE)

    assert time.monotonic() - started_at >= 0.055
    assert response.json()["id"] == 7
