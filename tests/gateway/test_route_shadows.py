"""A route that takes the requests of another one stops the start, whichever kind the two are."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Generic, TypeVar
from unittest.mock import patch

import pytest
from fastapi import APIRouter
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import build_app, create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.proxy import Proxy
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.route_shadows import find_shadowed_routes
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Server, Settings
from tests.gateway.oauth.oauth_gateway import make_settings

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
            [], [("ANY", "/docs/{path:path}")],
            "GET /docs/{path:path}", "GET /docs/{name} of the gateway itself in gateway/openapi/",
            "give it another path: those of the gateway cannot be proxied",
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


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/oauth/{path:path}", ["/oauth/introspect", "/oauth/revoke", "/oauth/token"]),
        ("/oauth/{name}", ["/oauth/introspect", "/oauth/revoke", "/oauth/token"]),
        ("/oauth/tok{rest}", ["/oauth/token"]),
        (
            "/.well-known/{path:path}",
            [
                "/.well-known/jwks.json",
                "/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/{issuer_path:path}",
            ],
        ),
        ("/auth/{path:path}", ["/auth/tickets", "/auth/verify", "/auth/verify/{path:path}"]),
        ("/docs/{path:path}", ["/docs/{name}"]),
        ("/oauth2/{path:path}", []),
        ("/oauth/clients/{path:path}", []),
        ("/healthz/{path:path}", []),
        ("/.well-known/acme-challenge/{path:path}", []),
        ("/auth/login/{path:path}", []),
        ("/{path:path}", []),
        ("/{tenant}/token", []),
    ],
)
def test_no_proxied_route_is_above_an_endpoint_of_the_gateway(
    tmp_path: Path, path: str, own: list[str]
) -> None:
    made = make_settings(
        tmp_path, server=Server(forward_auth=True, trusted_proxies=(ip_network("127.0.0.1/32"),))
    )
    proxies = [
        Proxy("/events", to="events", requires=(), tickets=True, target="/"),
        Proxy(path, to="service", public="a test", target="/"),
    ]
    try:
        create_app(made, application=Application(proxies=proxies))
        errors = []
    except InvalidSettings as invalid:
        errors = invalid.errors
    shown = [error.message.partition(" of the gateway itself in gateway/")[0] for error in errors]
    assert sorted(it.partition(" ")[2] for it in shown) == own
    assert all(error.path.endswith(f" {path}") for error in errors)
    assert all("test_route_shadows.py:" in error.source for error in errors)


def test_a_catch_all_below_a_frontend_is_an_error(tmp_path: object) -> None:
    router = APIRouter(dependencies=[public("a test")])
    router.frontend("/app", directory=str(tmp_path))
    proxy = Proxy("/{path:path}", to="service", public="a test")
    with pytest.raises(InvalidSettings) as caught:
        create_app(Settings(), application=Application(routers=[router], proxies=[proxy]))
    (error,) = caught.value.errors
    assert str(error.path) == "GET/HEAD /app/{file:path}"


T = TypeVar("T")


class EveryPath(Generic[T]):
    """In place of a PathTrie, the plain reference: each pair of paths is compared."""

    def __init__(self) -> None:
        self._values: list[T] = []

    def add(self, _: str, value: T) -> None:
        self._values.append(value)

    def find_candidates(self, _: str) -> Iterator[T]:
        return iter(self._values)


SEGMENTS = st.sampled_from(["", "a", "b", "7", "~a", "{%s}", "v-{%s}", "{%s:int}", "{%s:path}"])
METHODS = st.sampled_from(["GET", "POST", "GET/POST"])


def name_parameters(segments: list[str], end: str = "") -> str:
    named = [it % f"p{index}" if "%" in it else it for index, it in enumerate(segments)]
    return "/".join(["", *named]) + end


OWN_PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(name_parameters)
PROXIED_PATHS = st.builds(
    name_parameters,
    st.lists(st.sampled_from(["a", "b", "~a", "{%s}", "v-{%s}"]), min_size=1, max_size=3),
    st.sampled_from(["", "/", "/{path:path}"]),
)


@given(
    own=st.lists(st.tuples(METHODS, OWN_PATHS), max_size=6),
    proxied=st.lists(st.tuples(METHODS, PROXIED_PATHS), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_the_same_errors_are_found_as_by_comparing_each_pair(
    own: list[Route], proxied: list[Route]
) -> None:
    router = APIRouter()
    for methods, path in own:
        router.add_api_route(path, respond, methods=methods.split("/"))
    proxies = [
        Proxy(path, to="service", public="a test", target="/", methods=methods.split("/"))
        for methods, path in proxied
    ]
    app = build_app(Settings(), Application(routers=[router], proxies=proxies))
    found = list(find_shadowed_routes(app))
    with patch("gateway.route_shadows.PathTrie", EveryPath):
        assert list(find_shadowed_routes(app)) == found
