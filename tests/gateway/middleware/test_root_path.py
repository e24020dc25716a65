"""A path prefix in front: each route is served with it and without it."""

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Server, Settings
from tests.gateway.errors.served import Reply, Served, build_request, serve

SETTINGS = Settings(
    server=Server(root_path="/api/v1", cors_origins=("https://a.example",), max_body_bytes=100)
)


def build_routes() -> APIRouter:
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/items/{name}")
    async def get_item(name: str, request: Request) -> dict[str, str]:
        return {
            "name": name,
            "url": str(request.url),
            "next": str(request.url_for("get_item", name="next")),
        }

    @router.post("/items", max_body_size=10)
    async def post_item(request: Request) -> JSONResponse:
        await request.body()
        location = request.url_for("get_item", name="7").path
        return JSONResponse({}, 201, headers={"Location": location})

    @router.get("/")
    async def get_root() -> dict[str, str]:
        return {"name": "root"}

    @router.get("/api/{name}")
    async def get_other(name: str) -> dict[str, str]:
        return {"name": f"other {name}"}

    return router


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    def prepare(app: FastAPI) -> None:
        @app.get("/late", dependencies=[public("a test")])
        async def get_late() -> str:
            return "late"

    async with serve(build_routes(), settings=SETTINGS, prepare=prepare) as opened:
        yield opened


async def get(served: Served, target: str, method: str = "GET", body: bytes | None = None) -> Reply:
    (reply,) = await served.send(build_request(target, method, body=body))
    return reply


@pytest.mark.parametrize("prefix", ["/api/v1", ""])
async def test_a_proxy_may_strip_the_prefix_or_not(served: Served, prefix: str) -> None:
    item = (await get(served, f"{prefix}/items/7")).document
    assert item == {
        "name": "7",
        "url": "http://x/api/v1/items/7",
        "next": "http://x/api/v1/items/next",
    }
    created = await get(served, f"{prefix}/items", "POST", b"{}")
    assert (created.status, created.header("location")) == (201, ["/api/v1/items/7"])
    assert (await get(served, f"{prefix}/items", "POST", b"x" * 11)).status == 413
    escaped = await get(served, f"{prefix}/items/a%2Fb")
    assert escaped.document["name"] == "a/b"
    assert escaped.document["url"] == "http://x/api/v1/items/a%2Fb"
    assert (await get(served, f"{prefix or '/x'}%2Fitems/a")).status == 404
    for path, status in {
        **dict.fromkeys(["/healthz", "/readyz", "/docs", "/openapi.json", "/late"], 200),
        "/nowhere": 404,
    }.items():
        assert (await get(served, prefix + path)).status == status, path
        assert (await get(served, prefix + path, "HEAD")).status == status, path
    refused = await get(served, f"{prefix}/items/7", "DELETE")
    assert (refused.status, refused.header("allow")) == (405, ["GET, HEAD, OPTIONS"])
    preflight = build_request(
        f"{prefix}/items",
        "OPTIONS",
        headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
    )
    (allowed,) = await served.send(preflight)
    assert allowed.header("access-control-allow-methods") == ["OPTIONS, POST"]


async def test_the_root_and_a_path_that_begins_alike(served: Served) -> None:
    for target, name in {
        "/": "root",
        "/api/v1": "root",
        "/api/v1/": "root",
        "/api/other": "other other",
        "/api/v11": "other v11",
        "/api/v1/api/v1": "other v1",
    }.items():
        assert (await get(served, target)).document["name"] == name, target


async def test_the_server_of_the_document_is_the_prefix(served: Served) -> None:
    document = (await get(served, "/api/v1/openapi.json")).document
    assert document["servers"] == [{"url": "/api/v1"}]
    assert "/items/{name}" in document["paths"]


async def test_the_log_has_the_path_that_clients_see(served: Served) -> None:
    await get(served, "/items/7")
    await served.settle(1)
    assert served.log.completed[0]["path"] == "/api/v1/items/7"


async def test_the_server_as_a_whole_has_no_prefix(served: Served) -> None:
    assert (await get(served, "*", "OPTIONS")).status == 204


def test_a_route_that_begins_with_the_prefix_is_refused() -> None:
    router = APIRouter(dependencies=[public("a test")])

    async def get_item() -> None:
        """Declared below the prefix."""

    router.add_api_route("/api/v1/items", get_item)
    router.add_api_route("/api/v12", get_item)
    with pytest.raises(InvalidSettings) as raised:
        create_app(SETTINGS, application=Application(routers=[router]))
    assert [error.path for error in raised.value.errors] == ["GET /api/v1/items"]


async def test_a_prefix_that_the_proxy_has_stripped_is_not_stripped_again() -> None:
    server = SETTINGS.server.model_copy(update={"root_path_is_stripped": True})
    settings = Settings(server=server)
    async with serve(build_routes(), settings=settings) as served:
        item = (await get(served, "/items/7")).document
        assert item["url"] == "http://x/api/v1/items/7"
        for path in ("/items/7", "/readyz", "/healthz", "/docs"):
            assert (await get(served, f"/api/v1{path}")).status == 404, path
