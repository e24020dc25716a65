"""The route of a proxied service has the guards that its declaration says."""

import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.fastapi_internals import iter_calls, iter_route_contexts
from gateway.proxy import Proxy
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.proxy.routes import find_proxied_services
from gateway.ratelimit.limited_dependency import Limited
from gateway.ratelimit.policy import RateLimit
from gateway.routing.dispatcher import RouteTable
from gateway.settings.schema import Server, Settings
from gateway.testing import lockgate
from gateway.tickets.redeem_ticket import AcceptTicket

LIMIT = RateLimit("stock", "10/minute")
STOCK = Proxy(
    "/stock/{user_id}/{path:path}",
    to="stock",
    requires=["stock:read", "stock:all"],
    owner="user_id",
    limit=LIMIT,
    tickets=True,
    max_body_bytes=7,
    identity="none",
)
OPEN = Proxy("/open/{path:path}", to="stock", public="a test", methods=["POST"])
ANYONE = Proxy("/anyone/{path:path}", to="other", requires=(), identity="none")
APPLICATION = Application(proxies=[STOCK, OPEN, ANYONE], policies={"stock": LIMIT})


@pytest.mark.parametrize(
    ("method", "path", "user", "scopes", "status"),
    [
        ("GET", "/stock/7/a", None, [], 401),
        ("PROPFIND", "/stock/7/a/b", None, [], 401),
        ("OPTIONS", "/stock/7/a/b", None, [], 401),
        ("HEAD", "/stock/7/a/b", None, [], 401),
        ("GET", "/stock/7/a", "7", ["stock:read"], 403),
        ("GET", "/stock/7/a", "8", ["stock:read", "stock:all"], 403),
        ("GET", "/anyone/a", None, [], 401),
        ("GET", "/open/a", None, [], 405),
        ("GET", "/stock/7", None, [], 404),
    ],
)
async def test_a_request_that_the_guards_refuse(
    method: str, path: str, user: str | None, scopes: list[str], status: int
) -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        response = await gateway.request(method, path, user=user, scopes=scopes)
        assert response.status_code == status
        assert not gateway.service("stock").requests


async def test_a_body_is_bounded_by_the_route() -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        response = await gateway.post("/stock/7/a", user="7", content=b"12345678")
    assert response.status_code == 413


def test_a_route_is_compiled_with_its_guards_in_order() -> None:
    app = create_app(Settings(), application=APPLICATION)
    table = RouteTable(app.router, is_guarded=lambda _: True)
    compiled = {str(it.route.path) for it in table.entries if it.compiled}
    assert compiled >= {proxy.path for proxy in APPLICATION.proxies}
    route = next(it for it in iter_route_contexts(app.routes) if it.path == STOCK.path)
    ticket, authorize, owner, limited = iter_calls(route.dependant)
    assert isinstance(ticket, AcceptTicket)
    assert [type(it).__name__ for it in (authorize, owner)] == ["Authorize", "Owner"]
    assert isinstance(limited, Limited)
    assert limited.policies == (LIMIT,)


def test_the_services_behind_routes_are_found() -> None:
    app = create_app(Settings(), application=APPLICATION)
    assert find_proxied_services(app.routes) == {
        proxy.to: f"{proxy} in {proxy.file}:{proxy.line}" for proxy in (STOCK, ANYONE)
    }


EVERYTHING = Application(proxies=[Proxy("/{path:path}", to="legacy", public="a test")])


async def test_every_method_reaches_the_service() -> None:
    async with lockgate(Settings(), application=EVERYTHING) as gateway:
        legacy = gateway.service("legacy").answers({"stock": 7})
        statuses = [
            (await gateway.request(method, "/items/7")).status_code for method in PROXIED_METHODS
        ]
        assert set(statuses) == {200}
        assert tuple(it.method for it in legacy.requests) == PROXIED_METHODS


@pytest.mark.parametrize(
    ("method", "status", "reaches_service"),
    [("GET", 200, False), ("HEAD", 200, False), ("OPTIONS", 204, False), ("POST", 200, True)],
)
async def test_a_route_before_keeps_its_head_and_options(
    method: str, status: int, reaches_service: bool
) -> None:
    async with lockgate(Settings(), application=EVERYTHING) as gateway:
        legacy = gateway.service("legacy").answers({})
        response = await gateway.request(method, "/healthz")
        assert response.status_code == status
        assert bool(legacy.requests) == reaches_service


async def test_a_preflight_lists_the_methods_and_does_not_reach_the_service() -> None:
    server = Server(cors_origins=("https://app.example.com",))
    async with lockgate(Settings(server=server), application=EVERYTHING) as gateway:
        legacy = gateway.service("legacy").answers({})
        headers = {
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "PROPFIND",
        }
        response = await gateway.request("OPTIONS", "/items/7", headers=headers)
        methods = response.headers["access-control-allow-methods"].split(", ")
        assert {"PROPFIND", "GET", "DELETE"} <= set(methods)
        assert not legacy.requests
