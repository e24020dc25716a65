"""The sample application, and both transports."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

import tests.gateway.upstream.respx_mocking  # noqa: F401 - registers it with respx
from gateway.transport.transport import Transport

Open = Callable[[], httpx.AsyncBaseTransport]


@pytest.fixture(autouse=True)
def _sample_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the settings name the sample application."""
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "tests.sample")


@pytest.fixture
async def transport(no_leaks: None) -> AsyncIterator[Transport]:
    """Our transport."""
    async with Transport() as opened:
        yield opened


@pytest.fixture(params=["lockgate", "httpx"])
async def either(
    request: pytest.FixtureRequest, no_leaks: None
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Our transport, and httpx's."""
    if request.param == "lockgate":
        opened: httpx.AsyncBaseTransport = Transport()
    else:
        opened = httpx.AsyncHTTPTransport(trust_env=False, verify=False)
    async with opened:
        yield opened
