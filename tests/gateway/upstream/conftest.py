"""A client of a made-up service, and the routes that respond to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import respx

from tests.gateway.upstream.example_client import URL, Shop
from tests.gateway.upstream.routed import routed_on_a_socket


@pytest.fixture
def mock() -> Iterator[respx.MockRouter]:
    """Routes in the transport's place."""
    with respx.mock(using="transport", assert_all_called=True, base_url=URL) as router:
        yield router


@pytest.fixture(params=["mocked", "on a socket"])
async def routes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[respx.Router]:
    """Routes for both ways of a typed client: any transport, and the short one over ours."""
    if request.param == "mocked":
        yield request.getfixturevalue("mock")
        return
    router = respx.Router(assert_all_called=True, base_url=URL)
    async with routed_on_a_socket(router, URL, monkeypatch):
        yield router
    router.assert_all_called()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop(URL + "/", max_body_bytes=1_000) as client:
        yield client
