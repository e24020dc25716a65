"""An app with a route that declares no access does not start."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import Caller, owner, public, requires
from gateway.fastapi_internals import iter_route_contexts
from gateway.ratelimit import RateLimit, limited
from gateway.route_audit import UnguardedRoute, find_faults, refuse_unguarded
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.tickets import accept_ticket
from tests.gateway.middleware.asgi_websocket import WebSocketClient, websocket_scope

PER_USER = RateLimit("per_user", "1/second", per="user")
PER_ADDRESS = RateLimit("per_address", "1/second", per="address")


def build_app(*dependencies: object, prefix: str = "") -> FastAPI:
    app = FastAPI(openapi_url=None)
    router = APIRouter()

    @router.get("/orders/{user_id}", dependencies=list(dependencies))  # type: ignore[arg-type]
    async def get_orders(user_id: int) -> int:
        return user_id

    app.include_router(router, prefix=prefix)
    return app


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_route_without_a_guard_is_named(prefix: str) -> None:
    with pytest.raises(UnguardedRoute, match=f"GET {prefix}/orders/.* add requires"):
        refuse_unguarded(build_app(prefix=prefix))


def test_a_route_on_the_app_itself_is_audited_too() -> None:
    app = FastAPI(openapi_url=None)

    @app.delete("/all")
    async def delete_all() -> None: ...

    with pytest.raises(UnguardedRoute, match="DELETE /all"):
        refuse_unguarded(app)


@pytest.mark.parametrize(
    "dependencies",
    [
        [requires("orders:read")],
        [requires("orders:read"), owner("user_id")],
        [requires(), owner("user_id")],
        [public("a catalog is not a secret")],
        [public("a catalog is not a secret"), limited(PER_ADDRESS)],
        [requires(), limited(PER_USER)],
    ],
)
def test_a_route_that_declares_access_passes(dependencies: list[object]) -> None:
    refuse_unguarded(build_app(*dependencies))


def test_owner_without_requires_is_not_enough() -> None:
    with pytest.raises(UnguardedRoute, match=r"owner\(\.\.\.\)"):
        refuse_unguarded(build_app(owner("user_id")))


def test_public_and_requires_contradict_each_other() -> None:
    with pytest.raises(UnguardedRoute, match=r"public\(\.\.\.\)"):
        refuse_unguarded(build_app(requires("a"), public("why")))


async def _limit(_: Annotated[None, limited(PER_USER)]) -> None:
    """A dependency that brings its own limit."""


@pytest.mark.parametrize("limit", [limited(PER_ADDRESS, PER_USER), Depends(_limit)])
def test_a_limit_per_user_on_a_public_route_is_refused(limit: object) -> None:
    with pytest.raises(UnguardedRoute, match=r"limited\(\.\.\.\) by a policy per user"):
        refuse_unguarded(build_app(public("why"), limit))


async def _call(_: Caller) -> None:
    """A dependency that takes the caller."""


@pytest.mark.parametrize(
    "dependencies",
    [
        [requires("a"), accept_ticket()],
        [requires(), accept_ticket(), owner("user_id")],
        [Depends(_call), accept_ticket(), requires()],
        [limited(PER_USER), accept_ticket(), requires()],
    ],
)
def test_a_ticket_that_would_be_redeemed_too_late_is_refused(dependencies: list[object]) -> None:
    with pytest.raises(UnguardedRoute, match=r"GET /orders/.*: put accept_ticket\(\) before"):
        refuse_unguarded(build_app(*dependencies))


def test_the_requires_of_a_router_comes_before_the_ticket_of_its_route() -> None:
    router = APIRouter(dependencies=[requires()])

    @router.get("/prices", dependencies=[accept_ticket()])
    async def get_prices() -> None: ...

    app = FastAPI(openapi_url=None)
    app.include_router(router)
    with pytest.raises(UnguardedRoute, match="also before those of its router"):
        refuse_unguarded(app)


@pytest.mark.parametrize(
    "dependencies",
    [
        [accept_ticket(), requires("a"), owner("user_id"), limited(PER_USER)],
        [limited(PER_ADDRESS), accept_ticket(), requires("a")],
        [accept_ticket(), public("a test")],
        [public("a test"), accept_ticket()],
    ],
)
def test_a_ticket_before_all_that_needs_the_caller_passes(dependencies: list[object]) -> None:
    refuse_unguarded(build_app(*dependencies))


def test_a_fault_has_the_line_of_the_function() -> None:
    (fault,) = find_faults(build_app())
    assert fault.route == "GET /orders/{user_id}"
    line = inspect.getsourcelines(build_app)[1] + 4
    assert fault.as_config_error().source == f"tests/gateway/test_route_audit.py:{line}"


@pytest.mark.parametrize(
    "route",
    [
        Route("/raw", lambda request: PlainTextResponse("")),
        Mount("/mounted", FastAPI()),
        WebSocketRoute("/raw", lambda socket: None),
        Host("other.test", FastAPI()),
    ],
)
def test_a_route_that_is_not_fastapis_is_refused(route: BaseRoute) -> None:
    app = FastAPI(openapi_url=None)
    app.router.routes.append(route)
    with pytest.raises(UnguardedRoute, match="not a FastAPI route"):
        refuse_unguarded(app)


def build_websocket_app(*dependencies: object, prefix: str = "") -> FastAPI:
    app = FastAPI(openapi_url=None)
    router = APIRouter()

    @router.websocket("/events/{user_id}", dependencies=list(dependencies))  # type: ignore[arg-type]
    async def send_events(socket: WebSocket, user_id: int) -> None: ...

    app.include_router(router, prefix=prefix)
    return app


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_websocket_route_without_a_guard_is_named(prefix: str) -> None:
    with pytest.raises(UnguardedRoute, match=f"^WEBSOCKET {prefix}/events/{{user_id}}: add req"):
        refuse_unguarded(build_websocket_app(prefix=prefix))


def test_a_websocket_route_on_the_app_itself_is_audited_too() -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/events")
    async def send_events(socket: WebSocket) -> None: ...

    with pytest.raises(UnguardedRoute, match=r"^WEBSOCKET /events: add requires"):
        refuse_unguarded(app)


@pytest.mark.parametrize(
    "dependencies",
    [
        [requires("events:read")],
        [requires("events:read"), owner("user_id")],
        [public("a ticker is not a secret")],
    ],
)
def test_a_websocket_route_that_declares_access_passes(dependencies: list[object]) -> None:
    refuse_unguarded(build_websocket_app(*dependencies))


def test_a_websocket_route_needs_requires_beside_owner() -> None:
    with pytest.raises(UnguardedRoute, match=r"^WEBSOCKET .*owner\(\.\.\.\) needs requires"):
        refuse_unguarded(build_websocket_app(owner("user_id")))


@pytest.mark.parametrize("guarded", [False, True])
def test_a_frontend_is_audited_too(tmp_path: Path, guarded: bool) -> None:
    router = APIRouter(dependencies=[public("a web page")] if guarded else [])
    router.frontend("/shop", directory=tmp_path)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    if guarded:
        refuse_unguarded(app)
    else:
        with pytest.raises(UnguardedRoute, match=r"^FRONTEND /shop: add requires"):
            refuse_unguarded(app)


def test_every_route_of_the_gateway_is_audited() -> None:
    app = create_app(load_settings())
    paths = {route.path for route in iter_route_contexts(app.routes)}
    assert paths == {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/{name}",
        "/dashboard/{user_id}",
        "/archive/{user_id}/{path:path}",
    }


async def send_all(app: FastAPI, *paths: str) -> list[int]:
    """The status of a GET for each path."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://lockgate.test") as http:
        return [(await http.get(path)).status_code for path in paths]


async def get_late() -> str:
    return "late"


PUBLIC = [public("a test")]


def add_to_the_app(app: FastAPI) -> None:
    app.add_api_route("/late", get_late)
    app.add_api_route("/guarded", get_late, dependencies=PUBLIC)


def add_to_a_new_router(app: FastAPI) -> None:
    router = APIRouter()
    router.add_api_route("/late", get_late)
    router.add_api_route("/guarded", get_late, dependencies=PUBLIC)
    app.include_router(router)


def add_to_an_included_router(app: FastAPI) -> None:
    router = APIRouter()
    app.include_router(router)
    router.add_api_route("/late", get_late)
    router.add_api_route("/guarded", get_late, dependencies=PUBLIC)


def append_to_the_routes(app: FastAPI) -> None:
    app.router.routes.append(Route("/late", lambda _: PlainTextResponse("late")))
    app.add_api_route("/guarded", get_late, dependencies=PUBLIC)


def mount(app: FastAPI) -> None:
    app.add_api_route("/guarded", get_late, dependencies=PUBLIC)
    app.mount("/late", PlainTextResponse("late"))


LATE = [
    (add_to_the_app, "/late"),
    (add_to_a_new_router, "/late"),
    (add_to_an_included_router, "/late"),
    (append_to_the_routes, "/late"),
    (mount, "/late/page"),
]


@pytest.mark.parametrize("is_started", [False, True])
@pytest.mark.parametrize(("add", "path"), LATE)
async def test_a_route_that_is_added_later_is_audited_before_its_first_request(
    add: Callable[[FastAPI], None],
    path: str,
    is_started: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(Settings(), application=Application())
    if is_started:
        assert await send_all(app, "/healthz", path, "/guarded") == [200, 404, 404]
    add(app)
    statuses = await send_all(app, "/healthz", path, "/guarded", "/nothing", path)
    assert statuses == [200, 500, 200, 404, 500]
    traces = [record.exc_info for record in caplog.records if record.exc_info]
    assert [info[0] for info in traces] == [UnguardedRoute, UnguardedRoute]
    assert re.search(r"/late: (add requires|not a FastAPI route)", str(traces[0][1]))


async def test_a_later_route_that_is_replaced_by_a_guarded_one_is_served() -> None:
    app = create_app(Settings(), application=Application())
    app.add_api_route("/late", get_late)
    assert await send_all(app, "/late") == [500]
    app.router.routes.pop()
    app.add_api_route("/late", get_late, dependencies=PUBLIC)
    assert await send_all(app, "/late") == [200]


async def test_a_route_that_replaces_another_in_the_list_is_audited() -> None:
    app = create_app(Settings(), application=Application())
    assert await send_all(app, "/late") == [404]  # from now on, no route is compiled
    app.add_api_route("/late", get_late, dependencies=PUBLIC)
    assert await send_all(app, "/late") == [200]
    app.router.routes[-1] = APIRoute("/late", get_late)
    assert await send_all(app, "/late") == [500]


async def test_a_guarded_route_in_front_of_an_unguarded_one_is_served() -> None:
    app = create_app(Settings(), application=Application())
    app.add_api_route("/things/known", get_late, dependencies=PUBLIC)
    app.add_api_route("/things/{name}", get_late)
    assert await send_all(app, "/things/known", "/things/other") == [200, 500]


async def test_a_websocket_route_that_is_added_later_is_refused() -> None:
    app = create_app(Settings(), application=Application())

    @app.websocket("/events")
    async def send_events(socket: WebSocket) -> None:
        await socket.accept()

    client = WebSocketClient()
    await client.run(app, websocket_scope("/events"))
    assert [message["type"] for message in client.sent] == ["websocket.close"]
    assert client.sent[0]["code"] == 1011
