"""A raw client that is connected to an app."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.server.raw_client import RawClient, open_raw_client


@pytest.fixture
async def client() -> AsyncIterator[RawClient]:
    async with open_raw_client() as client:
        yield client
