"""The rule that nothing is left behind: `nothing_left` in a test's signature."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

_DESCRIPTORS = Path("/proc/self/fd")


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
