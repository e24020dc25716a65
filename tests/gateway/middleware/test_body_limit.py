"""A request body above the limit is refused with a 413 problem, declared or streamed."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.errors.handlers import install_error_handlers
from gateway.errors.tree import ContentTooLarge
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.request_context import INTERIM_RESPONSE
from gateway.routing.dispatcher import RouteTable
from gateway.settings.schema import Server, Settings
from tests.gateway.errors.served import serve
from tests.gateway.routing.comparison import trust

MAX_BYTES = 1_000


class Text(BaseModel):
    text: str


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=MAX_BYTES)
    app.add_middleware(RequestContextMiddleware)
    install_error_handlers(app)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/model")
    async def model(text: Text) -> int:
        return len(text.text)

    @app.post("/unread")
    async def unread() -> str:
        return "done"

    wire = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=wire, base_url="http://x") as client:
        yield client


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 300):
        yield b"x" * min(300, size - start)


@pytest.mark.parametrize("path", ["/raw", "/model", "/unread", "/nowhere"])
async def test_a_declared_length_is_refused_before_anything_is_read(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.post(path, content=b"x" * (MAX_BYTES + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/raw", "/model"])
async def test_an_undeclared_length_is_refused_as_it_is_read(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.post(path, content=in_pieces(MAX_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:lockgate:problem:content-too-large"


async def test_a_body_within_the_limit_arrives_whole(http: httpx.AsyncClient) -> None:
    declared = await http.post("/raw", content=b"x" * MAX_BYTES)
    undeclared = await http.post("/raw", content=in_pieces(MAX_BYTES))
    assert declared.json() == undeclared.json() == MAX_BYTES


async def test_an_interim_response_is_not_the_response_of_an_app_that_reads_too_much() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": INTERIM_RESPONSE, "status": 103, "headers": []})
        with suppress(ContentTooLarge):
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * (MAX_BYTES + 1), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    sent = list[Message]()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    await BodyLimit(app, MAX_BYTES)(scope, receive, send)
    assert [message.get("status") for message in sent] == [103, 413, None]


SMALL, LARGE = 100, 3_000

ROUTE_LIMITS = {
    "/compiled": MAX_BYTES,
    "/compiled/small": SMALL,
    "/compiled/large": LARGE,
    "/general": MAX_BYTES,
    "/general/small": SMALL,
    "/general/large": LARGE,
    "/general/none": 0,
    "/router/small": SMALL,
    "/users/42/small": SMALL,
    "/users/42": MAX_BYTES,
    "/nowhere": MAX_BYTES,
}


class Length(BaseModel):
    length: int


def build_routes() -> APIRouter:
    """Routes that read a body with limits of their own. Those without dependencies are compiled."""
    router = APIRouter(dependencies=[public("a test")])
    limited = APIRouter(max_body_size=SMALL)

    async def measure(request: Request) -> Length:
        return Length(length=len(await request.body()))

    def block() -> None:
        """Runs in a thread, so its route is not compiled."""

    general = {"dependencies": [Depends(block)]}
    for path, options in {
        "/compiled": {},
        "/compiled/small": {"max_body_size": SMALL},
        "/compiled/large": {"max_body_size": LARGE},
        "/general": general,
        "/general/small": {"max_body_size": SMALL, **general},
        "/general/large": {"max_body_size": LARGE, **general},
        "/general/none": {"max_body_size": 0, **general},
        "/users/{user_id}/small": {"max_body_size": SMALL},
        "/users/{user_id}": {},
    }.items():
        router.add_api_route(path, measure, methods=["POST"], **options)  # type: ignore[arg-type]
    router.add_api_route("/general/small", measure, methods=["PUT"])
    limited.add_api_route("/router/small", measure, methods=["POST"])
    router.include_router(limited)
    return router


@pytest.fixture
async def gateway() -> AsyncIterator[httpx.AsyncClient]:
    """A whole gateway with those routes."""
    settings = Settings(server=Server(max_body_bytes=MAX_BYTES))
    application = Application(clients={}, policies={}, routers=[build_routes()])
    app = create_app(settings, application=application)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


def test_the_expected_routes_are_compiled() -> None:
    app = FastAPI()
    app.include_router(build_routes())
    compiled = {
        it.compiled.route.path
        for it in RouteTable(app.router, is_guarded=trust).entries
        if it.compiled
    }
    assert {path for path in compiled if path and path.startswith(("/compiled", "/general"))} == {
        "/compiled",
        "/compiled/small",
        "/compiled/large",
        "/general/small",  # its PUT
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["declared", "streamed"])
@pytest.mark.parametrize(("path", "limit"), ROUTE_LIMITS.items())
async def test_a_routes_own_limit_replaces_the_servers(
    gateway: httpx.AsyncClient, path: str, limit: int, streamed: bool
) -> None:
    def body(size: int) -> Any:
        return in_pieces(size) if streamed else b"x" * size

    fits = await gateway.post(path, content=body(limit))
    if path == "/nowhere":
        assert fits.status_code == 404
    else:
        assert (fits.status_code, fits.json()) == (200, {"length": limit})
    refusal = await gateway.post(path, content=body(limit + 1))
    if path == "/nowhere" and streamed:
        assert refusal.status_code == 404  # nothing reads that body
        return
    assert refusal.status_code == 413
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.json()["type"] == "urn:lockgate:problem:content-too-large"
    assert refusal.json()["instance"] == refusal.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "route"), [("/users/42/small", "/users/{user_id}/small"), ("/nowhere", "")]
)
async def test_the_log_names_the_route_of_a_body_that_is_too_large(path: str, route: str) -> None:
    settings = Settings(server=Server(max_body_bytes=MAX_BYTES))
    async with serve(build_routes(), settings=settings) as served:
        body = b"x" * (MAX_BYTES + 1)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        (reply,) = await served.send(head.encode() + body)
        await served.settle(1)
    assert reply.status == 413
    assert [line["route"] for line in served.log.completed] == [route]


async def test_each_method_has_its_own_limit(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.put("/general/small", content=b"x" * MAX_BYTES)
    assert (answer.status_code, answer.json()) == (200, {"length": MAX_BYTES})


@pytest.mark.parametrize("path", ["/compiled/small", "/general/small"])
async def test_a_limit_applies_below_a_mount_too(path: str) -> None:
    settings = Settings(server=Server(max_body_bytes=MAX_BYTES))
    application = Application(clients={}, policies={}, routers=[build_routes()])
    outer = FastAPI()
    outer.mount("/api", create_app(settings, application=application))
    transport = httpx.ASGITransport(outer)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.post(f"/api{path}", content=b"x" * SMALL)).status_code == 200
        refusal = await client.post(f"/api{path}", content=b"x" * (SMALL + 1))
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.status_code == 413


async def test_the_limit_is_looked_up_only_for_a_request_with_a_body() -> None:
    looked_up: list[str] = []

    def find_route_limit(scope: Scope) -> None:
        looked_up.append(scope["method"])

    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=MAX_BYTES, find_route_limit=find_route_limit)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        await client.get("/")
        await client.put("/", content=b"x")
    assert looked_up == ["PUT"]
