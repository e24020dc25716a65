"""HEAD and OPTIONS of a path belong to its first route, also before a proxied route for all paths.

On both paths of a request: the dispatcher's table, and the general path of FastAPI.
"""

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.auth import public
from gateway.resources import Resources
from gateway.routing.response_endpoint import ResponseEndpoint
from tests.gateway.routing.comparison import TwoPaths

CALLS: list[object] = []


class CatchAll(ResponseEndpoint):
    """Takes every method of every path, as a proxied route at `/{path:path}` does."""

    async def __call__(self, request: Request) -> Response:
        """Say that this endpoint was called, and with which method."""
        return PlainTextResponse("all", headers={"X-Endpoint": f"all {request.method}"})


async def get_page(request: Request) -> Response:
    return PlainTextResponse("page", headers={"X-Endpoint": f"page {request.method}"})


def block() -> None:
    """Run in a thread, so that the route is not compiled."""


def build_app() -> FastAPI:
    router = APIRouter(dependencies=[public("a test")])
    router.add_api_route("/pages/{page}", get_page, methods=["GET"])
    router.add_api_route("/blocked", get_page, methods=["GET"], dependencies=[Depends(block)])
    router.add_api_route("/own", get_page, methods=["GET"])
    router.add_api_route("/own", get_page, methods=["HEAD", "OPTIONS"])
    router.add_api_route("/posted", get_page, methods=["POST"])
    methods = ["GET", "HEAD", "OPTIONS", "POST"]
    router.add_api_route("/{path:path}", CatchAll(), methods=methods, response_model=None)
    app = FastAPI()
    app.state.resources = Resources()
    app.include_router(router)
    return app


@pytest.fixture(scope="module")
def paths() -> TwoPaths:
    return TwoPaths(build_app(), CALLS)


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("HEAD", "/pages/7", "page GET"),
        ("HEAD", "/blocked", "page GET"),
        ("HEAD", "/own", "page HEAD"),
        ("HEAD", "/posted", "all HEAD"),
        ("HEAD", "/elsewhere/7", "all HEAD"),
        ("OPTIONS", "/own", "page OPTIONS"),
        ("OPTIONS", "/elsewhere", "all OPTIONS"),
        ("POST", "/pages/7", "all POST"),
        ("GET", "/pages/7", "page GET"),
    ],
)
def test_the_endpoint_that_serves_a_method(
    paths: TwoPaths, method: str, path: str, endpoint: str
) -> None:
    compiled, general = paths.send(path, method=method)
    assert compiled == general
    assert httpx.Headers(compiled.headers)["x-endpoint"] == endpoint


@pytest.mark.parametrize("path", ["/pages/7", "/blocked", "/posted"])
def test_options_of_a_path_before_lists_the_methods(paths: TwoPaths, path: str) -> None:
    compiled, general = paths.send(path, method="OPTIONS")
    assert compiled == general
    assert compiled.status == 204
    assert httpx.Headers(compiled.headers)["allow"] == "GET, HEAD, OPTIONS, POST"
