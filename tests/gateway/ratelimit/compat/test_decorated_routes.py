"""Leftovers of slowapi that would have no effect are found before the first request."""

import gc
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Request
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from gateway.app import create_app
from gateway.cli.check import check_settings
from gateway.ratelimit.compat.decorated_routes import check_app, find_slowapi_errors
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App, Settings
from tests.gateway.ratelimit.compat.slowapi_app import build_limiter


class OwnMiddleware(SlowAPIMiddleware):
    """A company's subclass."""


def test_the_middlewares_of_slowapi_are_found() -> None:
    app = Starlette()
    app.add_middleware(GZipMiddleware)
    check_app(app)
    for kind in (SlowAPIMiddleware, SlowAPIASGIMiddleware, OwnMiddleware):
        app.add_middleware(kind)
    names = [error.path for error in find_slowapi_errors(app)]
    assert [name.rpartition(".")[2] for name in sorted(names)] == [
        "SlowAPIASGIMiddleware", "SlowAPIMiddleware", "OwnMiddleware"
    ]  # fmt: skip


def test_a_limit_above_the_decorator_of_the_route_is_found() -> None:
    slowapi_limiter = build_limiter()
    app, router, mounted = FastAPI(), APIRouter(prefix="/inner"), Starlette()

    @slowapi_limiter.limit("1/minute")
    @app.get("/above")
    async def above(request: Request) -> None: ...

    @app.get("/below")
    @slowapi_limiter.limit("1/minute")
    async def below(request: Request) -> None: ...

    @slowapi_limiter.limit("1/minute")
    @router.post("/above")
    async def included(request: Request) -> None: ...

    async def in_mount(request: Request) -> Response:
        return Response()

    mounted.add_route("/above", in_mount)
    slowapi_limiter.limit("1/minute")(in_mount)

    async def both(request: Request) -> None: ...

    # The function itself is served without a limit on purpose: its limited form is served too.
    app.get("/free")(both)
    app.get("/limited")(slowapi_limiter.limit("1/minute")(both))

    app.include_router(router)
    app.mount("/mounted", mounted)
    gc.collect()  # nothing refers to what the decorator returned for `in_mount`
    with pytest.raises(InvalidSettings) as raised:
        check_app(app)
    errors = raised.value.errors
    assert [error.path for error in errors] == [
        "GET /above", "POST /inner/above", "GET/HEAD /mounted/above"
    ]  # fmt: skip
    assert "above the route" in errors[0].message
    assert errors[0].message.startswith(f"the limit of {__name__}.test_a_limit_above")
    assert errors[0].hint == "put @limiter.limit(...) below the route decorator"


def test_a_gateway_does_not_start_with_such_a_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "misplaced"
    (package / "composites").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "composites" / "__init__.py").touch()
    (package / "composites" / "page.py").write_text(
        "from fastapi import APIRouter, Request\n"
        "from slowapi.util import get_remote_address\n"
        "from gateway.auth import public\n"
        "from gateway.ratelimit.compat.slowapi import Limiter\n"
        "router, limiter = APIRouter(), Limiter(get_remote_address)\n"
        "@limiter.limit('1/minute')\n"
        "@router.get('/page', dependencies=[public('a test')])\n"
        "async def page(request: Request) -> str:\n"
        "    return 'ok'\n"
    )
    (package / "middleware.py").write_text(
        "from slowapi.middleware import SlowAPIMiddleware\n"
        "from starlette.middleware import Middleware\n"
        "middleware = [Middleware(SlowAPIMiddleware)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidSettings) as raised:
        create_app(Settings(app=App(package="misplaced")))
    assert [error.path for error in raised.value.errors] == [
        "slowapi.middleware.SlowAPIMiddleware", "GET /page"
    ]  # fmt: skip
    checked = check_settings(Settings(app=App(package="misplaced")))
    (misplaced,) = (str(error) for error in checked.errors if error.path == "GET /page")
    assert misplaced == (
        "GET /page: the limit of misplaced.composites.page.page has no effect, because it stands "
        "above the route (put @limiter.limit(...) below the route decorator)"
    )
    assert any("SlowAPIMiddleware" in error.path for error in checked.errors)
