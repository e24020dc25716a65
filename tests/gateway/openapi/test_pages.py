"""GET /openapi.json and GET /docs."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx
import pytest

from gateway.app import Gateway, create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.openapi.document import build_document
from gateway.proxy import Proxy
from gateway.route_list import list_routes
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App, Server, Settings
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


async def test_the_page_loads_only_files_of_the_gateway(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<title>Lockgate</title>" in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]* src=)|style=|\son\w+=", page.text) == []
    urls = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(urls) == 5
    for url in urls:
        response = await client.get(urljoin("/docs", url))
        assert response.status_code == 200, url
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_title_is_escaped() -> None:
    settings = Settings(app=App(title="<b>Shop & more</b>"))
    app = create_app(settings, application=Application())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        text = (await client.get("/docs")).text
    assert "<title>&lt;b&gt;Shop &amp; more&lt;/b&gt;</title>" in text


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/docs/swagger-ui.css", "text/css; charset=utf-8"), ("/openapi.json", "application/json")],
)
async def test_a_file_that_has_not_changed_is_not_sent_again(
    client: httpx.AsyncClient, path: str, media_type: str
) -> None:
    first = await client.get(path)
    assert first.headers["content-type"] == media_type
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["vary"] == "accept-encoding"
    changed = await client.get(path, headers={"If-None-Match": 'W/"other"'})
    assert changed.status_code == 200


async def test_the_tag_of_the_document_changes_with_it(
    app: Gateway, client: httpx.AsyncClient
) -> None:
    tag = (await client.get("/openapi.json")).headers["etag"]

    @app.get("/later", dependencies=[public("a test")])
    async def get_later() -> int:
        return 1

    later = await client.get("/openapi.json", headers={"If-None-Match": tag})
    assert (later.status_code, later.headers["etag"] != tag) == (200, True)


@pytest.mark.parametrize(
    ("name", "status"),
    [("swagger-ui.css.map", 404), ("..%2Fpages.py", 400), ("docs.html", 404), ("%00", 400)],
)
async def test_no_other_file_is_served(client: httpx.AsyncClient, name: str, status: int) -> None:
    response = await client.get(f"/docs/{name}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui-bundle.js"])
async def test_a_response_that_is_the_same_each_time_is_encoded_once(
    client: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await client.get(path, headers={"Accept-Encoding": "gzip"})
    monkeypatch.setattr("gateway.content_encoding.CODINGS", {"gzip": None})
    second = await client.get(path, headers={"Accept-Encoding": "gzip"})
    for response in (first, second):
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["vary"] == "accept-encoding"
    assert first.content == second.content


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/docs.js"])
async def test_a_setting_turns_the_documentation_off(path: str) -> None:
    off = create_app(Settings(server=Server(docs=False)), application=Application())
    transport = httpx.ASGITransport(off)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        responses = [await client.request(method, path) for method in ("GET", "HEAD", "OPTIONS")]
    assert [response.status_code for response in responses] == [404, 404, 404]
    assert path not in {route.path for route in list_routes(off, {})}


async def test_a_proxied_route_may_serve_the_documentation_of_a_service() -> None:
    proxies = [Proxy("/docs", to="service", public="a test", target="/docs")]
    off = Settings(server=Server(docs=False))
    app = create_app(off, application=Application(proxies=proxies))
    assert "GET /docs" in map(str, list_routes(app, {}))
    with pytest.raises(InvalidSettings, match="is declared twice"):
        create_app(Settings(), application=Application(proxies=proxies))
