"""A route that takes the requests of another one stops the start, whichever kind the two are."""

from collections.abc import Sequence

import pytest
from fastapi import APIRouter

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.proxy import Proxy
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings

TWICE = "remove one of them, or give it other methods or another path"

Route = tuple[str, str]
"""`GET`, or several methods with slashes, and a path."""


async def respond() -> int:
    return 1


def find_errors(own: Sequence[Route], proxied: Sequence[Route]) -> list[ConfigError]:
    router = APIRouter()
    for methods, path in own:
        router.add_api_route(
            path, respond, methods=methods.split("/"), dependencies=[public("a test")]
        )
    proxies = [
        Proxy(path, to="service", public="a test", target="/", methods=PROXIED_METHODS)
        if methods == "ANY"
        else Proxy(path, to="service", public="a test", target="/", methods=methods.split("/"))
        for methods, path in proxied
    ]
    try:
        create_app(Settings(), application=Application(routers=[router], proxies=proxies))
    except InvalidSettings as invalid:
        return invalid.errors
    return []


@pytest.mark.parametrize(
    ("own", "proxied"),
    [
        # The more specific route is the first.
        ([("GET", "/orders/{order}")], [("ANY", "/{path:path}")]),
        ([("GET", "/orders/latest"), ("GET", "/orders/{order}")], []),
        ([("GET", "/orders/{order}"), ("GET", "/orders/{path:path}")], []),
        ([], [("ANY", "/inventory/admin/{path:path}"), ("ANY", "/inventory/{path:path}")]),
        ([], [("ANY", "/{name}/admin"), ("ANY", "/{name}/{path:path}"), ("ANY", "/{path:path}")]),
        # No request has both paths, or both methods.
        ([("GET", "/a/{x:int}"), ("GET", "/a/{x}")], []),
        ([("GET", "/a/{x:int}"), ("GET", "/a/me")], []),
        ([("GET", "/a/{x}")], [("POST/PUT", "/a/{x}")]),
        ([("GET", "/a/{x}")], [("ANY", "/b/{path:path}")]),
        ([("GET", "/{x}/a")], [("ANY", "/a/b/{path:path}")]),
        ([("GET", "/a/v-{x}")], [("ANY", "/a/w-{x}/{path:path}")]),
        ([("GET", "/files/{x}.json")], [("ANY", "/files/a.xml")]),
        ([("GET", "/files-{x:path}")], [("ANY", "/inventory/{path:path}")]),
        ([("GET", "/files-{x:path}")], [("ANY", "/v{tenant}/{path:path}")]),
        ([("GET", "/a/v-{x}/b")], [("ANY", "/a/w-{x}/{path:path}")]),
        # The order of the package decides between its own routes.
        ([("GET", "/{x}/a"), ("GET", "/a/{x}")], []),
    ],
)
def test_these_routes_live_together(own: list[Route], proxied: list[Route]) -> None:
    assert find_errors(own, proxied) == []


@pytest.mark.parametrize(
    ("own", "proxied", "route", "message", "hint"),
    [
        (
            [("GET", "/a/{x}"), ("GET", "/a/me")], [],
            "GET /a/me", "no request can reach it: GET /a/{x} in ", "declare it before that route",
        ),
        (
            [("GET/POST", "/a/{x:path}"), ("POST/PUT", "/a/{x}/{y}")], [],
            "POST /a/{x}/{y}", "no request can reach it: GET/POST /a/{x:path} in ",
            "declare it before that route",
        ),
        (
            [], [("ANY", "/a/{path:path}"), ("ANY", "/a/b/{path:path}")],
            "ANY /a/b/{path:path}", "no request can reach it: ANY /a/{path:path} in ",
            "declare it before that route",
        ),
        (
            [("GET", "/a/{x:path}")], [("GET/POST", "/a/b/{path:path}")],
            "GET /a/b/{path:path}", "no request can reach it: GET /a/{x:path} in ",
            "give one of them another path",
        ),
        (
            [], [("ANY", "/docs")],
            "GET /docs", "is declared twice, in ", TWICE,
        ),
        (
            [], [("ANY", "/a/{x}"), ("ANY", "/a/{y}")],
            "ANY /a/{y}", "is declared twice, in ", TWICE,
        ),
        (
            [], [("ANY", "/healthz")],
            "GET /healthz", "is declared twice, in gateway/health.py:", TWICE,
        ),
        (
            [("GET", "/a/{x}")], [("ANY", "/a/{y}")],
            "GET /a/{y}", "is declared twice, in ", TWICE,
        ),
        (
            [("GET", "/{tenant}/orders")], [("ANY", "/inventory/{path:path}")],
            "GET /inventory/{path:path}", "takes some of its requests, and neither path",
            "give one of them another path",
        ),
        (
            [], [("GET", "/z/{x}/b"), ("GET/POST", "/z/a/{x}")],
            "GET/HEAD /z/a/{x}", "takes some of its requests", "give one of them another path",
        ),
    ],
)  # fmt: skip
def test_a_shadowed_route_is_an_error(
    own: list[Route], proxied: list[Route], route: str, message: str, hint: str
) -> None:
    (error,) = find_errors(own, proxied)
    assert error.path == route
    assert message in error.message
    assert error.hint == hint
    assert "test_route_shadows.py:" in error.message + error.source


def test_a_catch_all_below_a_frontend_is_an_error(tmp_path: object) -> None:
    router = APIRouter(dependencies=[public("a test")])
    router.frontend("/app", directory=str(tmp_path))
    proxy = Proxy("/{path:path}", to="service", public="a test")
    with pytest.raises(InvalidSettings) as caught:
        create_app(Settings(), application=Application(routers=[router], proxies=[proxy]))
    (error,) = caught.value.errors
    assert str(error.path) == "GET/HEAD /app/{file:path}"
