"""Runs these tests on both event loops, and checks that nothing is left behind in them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from tests.torture.tls_contexts import TlsContexts


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on asyncio's own event loop and on uvloop, which production uses."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def tls_contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    """TLS contexts of a client and of servers with valid and invalid certificates."""
    return TlsContexts(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def no_unhandled_errors(no_leaks: None) -> AsyncIterator[None]:
    """Fail if the test leaves an error to the loop's exception handler, a socket or a task."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    yield
    gc.collect(1)
    await asyncio.sleep(0)
    assert not errors
