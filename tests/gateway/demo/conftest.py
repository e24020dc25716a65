"""The demo services on free ports, without latency, and an HTTP client."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.demo.serve_demo import ANY_PORTS, serve_demo


@pytest.fixture
async def demo() -> AsyncIterator[dict[str, str]]:
    """Base URLs by service name."""
    async with serve_demo(latency_ms=0, ports=ANY_PORTS) as urls:
        yield urls


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client that ignores proxy settings and does not load certificates, which is slow."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def users(demo: dict[str, str]) -> str:
    """The base URL of the users service."""
    return demo["users"]
