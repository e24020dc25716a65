"""Both transports, and the rule that nothing is left behind by either."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

import tests.clients.mocking  # noqa: F401 - registers it with respx
from clients.transport import Transport

_DESCRIPTORS = Path("/proc/self/fd")

Open = Callable[[], httpx.AsyncBaseTransport]


def _sockets() -> int:
    if not _DESCRIPTORS.exists():
        return 0
    found = 0
    for descriptor in _DESCRIPTORS.iterdir():
        try:
            found += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return found


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """No socket and no task outlives the test."""
    sockets = _sockets()
    yield
    for _ in range(100):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if _sockets() <= sockets and not tasks:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"left: {_sockets() - sockets} sockets, tasks {tasks}")


@pytest.fixture
async def transport(nothing_left: None) -> AsyncIterator[Transport]:
    """Our transport."""
    async with Transport() as opened:
        yield opened


@pytest.fixture(params=["lockgate", "httpx"])
async def either(
    request: pytest.FixtureRequest, nothing_left: None
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Our transport, and httpx's."""
    if request.param == "lockgate":
        opened: httpx.AsyncBaseTransport = Transport()
    else:
        opened = httpx.AsyncHTTPTransport(trust_env=False, verify=False)
    async with opened:
        yield opened
