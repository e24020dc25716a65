"""An HTTP client for the small app."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway.middleware.app import create_logged_app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_logged_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client
