"""The fakes of the sample application on free ports, without latency, and an HTTP client."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway.fakes.sample_fakes import serve_sample_fakes


@pytest.fixture
async def fakes() -> AsyncIterator[dict[str, str]]:
    """Base URLs by service name."""
    async with serve_sample_fakes() as urls:
        yield urls


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client that ignores proxy settings and does not load certificates, which is slow."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def users(fakes: dict[str, str]) -> str:
    """The base URL of the users service."""
    return fakes["users"]
