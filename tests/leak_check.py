"""Checks for leaks: the fixture `no_leaks` fails a test that leaves a task or socket open."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

_DESCRIPTORS = Path("/proc/self/fd")


def _count_sockets() -> int:
    if not _DESCRIPTORS.exists():
        return 0
    count = 0
    for descriptor in _DESCRIPTORS.iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # closed since it was listed
            continue
    return count


@pytest.fixture
async def no_leaks() -> AsyncIterator[None]:
    """Fail the test if a socket or a task is still open 1 s after it."""
    sockets = _count_sockets()
    yield
    for _ in range(100):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if _count_sockets() <= sockets and not tasks:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"leaked {_count_sockets() - sockets} sockets and the tasks {tasks}")
