"""Both event loops, and what must not be left behind in them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from tests.torture.credentials import Credentials


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test in asyncio's own loop and in the one that production uses."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """An authority, and the servers it vouches for or not."""
    return Credentials(tmp_path_factory.mktemp("credentials"))


@pytest.fixture
async def nothing_unheard(nothing_left: None) -> AsyncIterator[None]:
    """No error that nobody was told of, besides what `nothing_left` looks for."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    yield
    gc.collect(1)
    await asyncio.sleep(0)
    assert not heard
