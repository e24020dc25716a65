"""slowapi's own `Limiter` is found, because it does not count with the limiter of the gateway."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import slowapi
import slowapi.extension
from fastapi import APIRouter, Depends, FastAPI, Request
from slowapi.util import get_remote_address
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.cli.check import check_settings
from gateway.ratelimit.compat.decorated_routes import find_slowapi_errors
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App, Settings
from tests.gateway.ratelimit.compat.slowapi_app import build_limiter

HINT = "(import Limiter from gateway.ratelimit.compat.slowapi instead of slowapi)"
MESSAGE = "is slowapi's own Limiter, which counts in each process for itself or blocks the loop"
PAGE = (
    "from fastapi import APIRouter, Request\n"
    "from gateway.auth import public\n"
    "from {module} import {limiter}\n"
    "router = APIRouter()\n"
    "@router.get('/page', dependencies=[public('a test')])\n"
    "@limiter.limit('1/minute')\n"
    "async def page(request: Request) -> str:\n"
    "    return 'ok'\n"
)


@pytest.mark.parametrize(
    "imported",
    [
        "from slowapi import Limiter",
        "from slowapi.extension import Limiter",
        "import slowapi; Limiter = slowapi.Limiter",
        "import slowapi\nclass Limiter(slowapi.Limiter): ...\n",
    ],
)
def test_a_limiter_of_slowapi_in_a_package_is_an_error_in_the_module_that_creates_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    imported: str,
) -> None:
    name = f"foreign_{request.node.callspec.indices['imported']}"
    package = tmp_path / name
    (package / "composites").mkdir(parents=True)
    for file in ("__init__.py", "composites/__init__.py"):
        (package / file).touch()
    create = f"{imported}\nfrom slowapi.util import get_remote_address\n"
    (package / "throttle.py").write_text(f"{create}limiter = Limiter(get_remote_address)\n")
    page = PAGE.format(module=f"{name}.throttle", limiter="limiter")
    (package / "composites" / "page.py").write_text(page)
    monkeypatch.syspath_prepend(tmp_path)
    settings = Settings(app=App(package=name))
    expected = f"{package}/throttle.py: {name}.throttle.limiter: {MESSAGE} {HINT}"
    with pytest.raises(InvalidSettings) as raised:
        create_app(settings)
    assert str(raised.value) == expected
    assert expected in map(str, check_settings(settings).errors)


def test_a_limiter_that_is_no_variable_is_found_at_each_route_and_in_the_state() -> None:
    foreign, own = slowapi.Limiter(get_remote_address), build_limiter()
    app, mounted, router = FastAPI(), Starlette(), APIRouter()

    @app.get("/own")
    @own.limit("1/minute")
    async def get_own(request: Request) -> None: ...

    @app.get("/plain")
    @foreign.limit("1/minute")
    async def get_plain(request: Request) -> None: ...

    @own.limit("9/minute")
    @foreign.shared_limit("1/minute", scope="all")
    def get_below(request: Request) -> None: ...

    @foreign.limit(lambda: "1/minute")
    async def depend(request: Request) -> None: ...

    @router.post("/depending", dependencies=[Depends(depend)])
    async def get_depending() -> None: ...

    app.include_router(router, prefix="/v1")
    mounted.add_route("/below", get_below)
    app.mount("/mounted", mounted)
    errors = list(find_slowapi_errors(app))
    assert [error.path for error in errors] == [
        "GET /plain", "POST /v1/depending", "GET/HEAD /mounted/below"
    ]  # fmt: skip
    assert {(error.message, f"({error.hint})") for error in errors} == {
        (f"its limiter {MESSAGE}", HINT)
    }
    assert all("test_foreign_limiters.py:" in error.source for error in errors)
    app.state.limiter = own
    assert len(list(find_slowapi_errors(app))) == 3
    app.state.limiter = foreign
    assert next(find_slowapi_errors(app)).path == "app.state.limiter"


def test_modules_of_another_package_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme.throttle")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    setattr(module, "limiter", slowapi.Limiter(get_remote_address))  # noqa: B010
    for packages, count in ((["acme"], 1), (["acme.throttle"], 1), (["acm", "acme.t"], 0)):
        assert len(list(find_slowapi_errors(FastAPI(), packages))) == count
