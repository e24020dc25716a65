"""Timeouts, deadlines and cancellation of a single call."""

import asyncio

import httpx
import pytest
import respx

from gateway.upstream.deadline import deadline
from gateway.upstream.errors import UpstreamTimeout
from tests.gateway.upstream.example_client import URL, ExampleClient


async def _hang(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError(request)


async def test_a_call_has_its_own_timeout() -> None:
    async with ExampleClient(URL, transport=httpx.MockTransport(_hang)) as client:
        with pytest.raises(UpstreamTimeout):
            await client.item("A", timeout=0.01)


async def test_a_deadline_around_a_call_shortens_its_timeout() -> None:
    async with ExampleClient(URL, transport=httpx.MockTransport(_hang)) as client:
        with deadline(0.01), pytest.raises(UpstreamTimeout):
            await client.item("A", timeout=60)


async def test_without_time_left_no_call_is_made(client: ExampleClient) -> None:
    with respx.mock(using="transport") as mock:
        with deadline(0), pytest.raises(UpstreamTimeout, match="no time was left"):
            await client.item("A")
        assert len(mock.calls) == 0


async def test_cancellation_is_not_a_timeout() -> None:
    requested = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        requested.set()
        return await _hang(request)

    async with ExampleClient(URL, transport=httpx.MockTransport(answer)) as client:
        call = asyncio.create_task(client.item("A"))
        await requested.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
