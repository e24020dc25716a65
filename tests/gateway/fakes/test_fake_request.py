"""The latency of a service, with and without a fault."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.fakes.dials import add_dials
from gateway.fakes.serve_fakes import serve_fakes
from tests.gateway.fakes.raw_http import PROFILE, put_dial, wait_for_counts


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


async def count_bytes(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the size of the body."""
    size = 0
    async for piece in Request(scope, receive).stream():
        size += len(piece)
    await PlainTextResponse(str(size))(scope, receive, send)


async def stream_pieces() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x" * 50_000
        await asyncio.sleep(0)


@pytest.mark.parametrize("fault", ["none", "slow"])
async def test_a_body_arrives_whole_after_the_latency(http: httpx.AsyncClient, fault: str) -> None:
    async with serve_fakes(add_dials({"sizes": count_bytes}, 20), ports={}) as urls:
        await put_dial(http, urls["sizes"], fault=fault, **({"ms": 20} if fault == "slow" else {}))
        for content, size in ((b"", 0), (b"short", 5), (stream_pieces(), 1_000_000)):
            response = await http.post(urls["sizes"], content=content)
            assert response.text == str(size)


async def test_a_client_that_ends_during_the_latency_is_counted(http: httpx.AsyncClient) -> None:
    async with serve_fakes(add_dials({"sizes": count_bytes}, 600_000), ports={}) as urls:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(urls["sizes"], content=b"short", timeout=0.05)
        await wait_for_counts(http, urls["sizes"], aborted=1, in_flight=0)
