"""A client of a made-up service, and mocked routes that respond to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import respx

from tests.gateway.upstream.example_client import URL, ExampleClient
from tests.gateway.upstream.serve_routes import serve_routes


@pytest.fixture
def mock() -> Iterator[respx.MockRouter]:
    """Routes in place of the transport."""
    with respx.mock(using="transport", assert_all_called=True, base_url=URL) as router:
        yield router


@pytest.fixture(params=["mocked", "on a socket"])
async def routes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[respx.Router]:
    """Routes for both senders: over a mocked transport, and on a socket."""
    if request.param == "mocked":
        yield request.getfixturevalue("mock")
        return
    router = respx.Router(assert_all_called=True, base_url=URL)
    async with serve_routes(router, URL, monkeypatch):
        yield router
    router.assert_all_called()


@pytest.fixture
async def client() -> AsyncIterator[ExampleClient]:
    async with ExampleClient(URL + "/", max_body_bytes=1_000) as client:
        yield client
