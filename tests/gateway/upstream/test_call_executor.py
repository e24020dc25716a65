"""Timeouts, deadlines and cancellation of a single call."""

import asyncio

import httpx
import pytest
import respx

from gateway.upstream.deadline import deadline
from gateway.upstream.errors import UpstreamTimeout
from tests.gateway.upstream.example_client import URL, Shop


async def _never(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError(request)


async def test_a_call_has_its_own_time() -> None:
    async with Shop(URL, transport=httpx.MockTransport(_never)) as shop:
        with pytest.raises(UpstreamTimeout):
            await shop.item("A", timeout=0.01)


async def test_a_deadline_around_it_shortens_it() -> None:
    async with Shop(URL, transport=httpx.MockTransport(_never)) as shop:
        with deadline(0.01), pytest.raises(UpstreamTimeout):
            await shop.item("A", timeout=60)


async def test_without_time_left_no_call_is_made(shop: Shop) -> None:
    with respx.mock(using="transport") as mock:
        with deadline(0), pytest.raises(UpstreamTimeout, match="no time was left"):
            await shop.item("A")
        assert len(mock.calls) == 0


async def test_being_cancelled_is_not_a_timeout() -> None:
    asked = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.set()
        return await _never(request)

    async with Shop(URL, transport=httpx.MockTransport(answer)) as shop:
        call = asyncio.create_task(shop.item("A"))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
