"""The middleware of the app is in the documented order, and every failure is a problem."""

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth.dependencies import public
from gateway.middleware.access_log import AccessLog
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.compression import Compression
from gateway.middleware.load_shedding import LoadShedding
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.middleware.target_validation import TargetValidation
from gateway.routing.dispatcher import Dispatcher
from gateway.testing import lockgate

router = APIRouter(dependencies=[public("a test")])


@router.get("/broken")
async def get_broken() -> None:
    raise RuntimeError("the password is hunter2")


@router.post("/broken")
async def post_broken(request: Request) -> None:
    await request.body()
    raise RuntimeError("the password is hunter2")


async def test_the_middleware_is_in_order() -> None:
    async with lockgate() as gateway:
        await gateway.get("/healthz")
        kinds: list[type] = []
        app: ASGIApp | None = gateway.app.middleware_stack
        while app is not None and not isinstance(app, Dispatcher):
            kinds.append(type(app))
            app = getattr(app, "app", None)
    assert kinds == [
        AccessLog,
        RequestContextMiddleware,
        TargetValidation,
        LoadShedding,
        Compression,
        BodyLimit,
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unexpected_exception_is_a_problem_on_every_path(method: str) -> None:
    async with lockgate() as gateway:
        gateway.app.include_router(router)
        response = await gateway.http.request(method, "/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:lockgate:problem:internal-error"
    assert response.json()["instance"] == response.headers["x-request-id"]
    assert "hunter2" not in response.text


async def test_a_handler_of_the_application_for_all_exceptions_is_kept() -> None:
    async def explain(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("ours", 500)

    async with lockgate() as gateway:
        gateway.app.include_router(router)
        gateway.app.add_exception_handler(Exception, explain)
        transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            response = await http.post("/broken")
    assert response.text == "ours"


async def test_lifespan_passes_every_middleware() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_message: Message) -> None:
        pass

    limited = LoadShedding(BodyLimit(app, 0), max_concurrency=0)
    await AccessLog(RequestContextMiddleware(limited))({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
