"""GET /openapi.json and GET /docs."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.app import Gateway
from gateway.auth import public
from gateway.openapi.document import build_document
from tests.gateway.openapi.example_app import create_example_app


@pytest.fixture
def app() -> Gateway:
    return create_example_app()


@pytest.fixture
async def client(app: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://lockgate.test"
    ) as opened:
        yield opened


async def test_the_document_is_served(app: Gateway, client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == app.openapi()


async def test_no_request_waits_for_a_document_that_was_built_at_start_up(
    app: Gateway, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_document(app)
    monkeypatch.setattr("gateway.openapi.document.get_openapi", None)
    monkeypatch.setattr("gateway.openapi.document.json", None)
    assert (await client.get("/openapi.json")).status_code == 200


async def test_a_route_that_is_added_later_is_served(
    app: Gateway, client: httpx.AsyncClient
) -> None:
    @app.get("/later", dependencies=[public("a test")])
    async def get_later() -> int:
        return 1

    assert "/later" in (await client.get("/openapi.json")).json()["paths"]


async def test_the_document_has_a_page(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "openapi.json" in response.text
