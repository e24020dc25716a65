"""WebSocket connections and HTTP methods: what the exception handlers do beside documents."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, HTTPException, WebSocket
from starlette.exceptions import WebSocketException
from starlette.types import Message

from gateway.auth import public
from gateway.errors.handlers import install_error_handlers
from gateway.middleware.request_context import RequestContextMiddleware
from tests.gateway.errors.served import build_request, serve
from tests.gateway.middleware.asgi_websocket import DENIAL, WebSocketClient, websocket_scope


async def connect(
    make: Callable[[], BaseException], *, is_accepted: bool, can_deny: bool = False
) -> list[Message]:
    """Connect to a route that raises; the messages of the app, without the body of a denial."""
    app = FastAPI()
    install_error_handlers(app)

    @app.websocket("/")
    async def fail(websocket: WebSocket) -> None:
        if is_accepted:
            await websocket.accept()
        raise make()

    client = WebSocketClient()
    extensions = DENIAL if can_deny else None
    await client.run(RequestContextMiddleware(app), websocket_scope("/", extensions=extensions))
    return client.sent


@pytest.mark.parametrize("is_accepted", [False, True])
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: WebSocketException(3000, "bye"), 3000),
        (lambda: HTTPException(499), 1008),
        (lambda: HTTPException(600), 1011),
        (lambda: KeyError("a"), 1011),
        (lambda: SystemExit(1), 1011),
        (lambda: ExceptionGroup("", [HTTPException(404)]), 1008),
    ],
)
async def test_a_websocket_is_closed_with_a_code(
    make: Callable[[], BaseException], code: int, is_accepted: bool
) -> None:
    sent = await connect(make, is_accepted=is_accepted)
    assert [it["type"] for it in sent] == ["websocket.accept"] * is_accepted + ["websocket.close"]
    assert sent[-1]["code"] == code


@pytest.mark.parametrize(
    ("make", "status"), [(lambda: HTTPException(499), 499), (lambda: SystemExit(1), 500)]
)
async def test_a_handshake_is_denied_with_a_document(
    make: Callable[[], BaseException], status: int
) -> None:
    sent = await connect(make, is_accepted=False, can_deny=True)
    assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", status)
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]


async def test_a_405_of_the_application_keeps_its_methods() -> None:
    async def refuse() -> None:
        raise HTTPException(405, headers={"Allow": "GET"})

    def prepare(app: FastAPI) -> None:
        app.add_api_route("/", refuse, methods=["PUT", "DELETE"], dependencies=[public("a test")])

    async with serve(prepare=prepare) as served:
        refused, unknown = await served.send(build_request("/", "PUT"), build_request("/", "PATCH"))
    assert refused.header("allow") == ["GET"]
    assert unknown.header("allow") == ["DELETE, OPTIONS, PUT"]


async def test_a_405_of_a_file_names_the_methods_of_files(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")

    def prepare(app: FastAPI) -> None:
        router = APIRouter(dependencies=[public("a test")])
        router.frontend("/shop", directory=tmp_path)
        app.include_router(router)

    async with serve(prepare=prepare) as served:
        refused, missing = await served.send(
            build_request("/shop/index.html", "DELETE"), build_request("/shop/none.js")
        )
    assert (refused.status, refused.header("allow")) == (405, ["GET, HEAD"])
    assert refused.document["type"] == missing.document["type"] == "about:blank"
    assert missing.status == 404
