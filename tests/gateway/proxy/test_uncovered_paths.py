"""A route whose access rule another spelling of its path evades stops the start."""

from typing import Any
from unittest.mock import patch

import pytest
from fastapi import APIRouter
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import build_app, create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.fastapi_internals import iter_audited_routes
from gateway.proxy import Proxy
from gateway.proxy.uncovered_paths import find_uncovered_paths
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings
from tests.gateway.test_route_shadows import PROXIED_PATHS, EveryPath

REST = "/inv/{path:path}"
NONE: dict[str, Any] = {"identity": "none"}


def declare(path: str, requires: Any = "admin", **options: Any) -> Proxy:
    access = {} if "public" in options else {"requires": requires}
    return Proxy(path, **{"to": "inv", "target": "/a", **NONE, **access, **options})


def find_errors(*proxies: Proxy, own: str = "") -> list[ConfigError]:
    router = APIRouter()
    if own:
        router.add_api_route(own, find_errors, dependencies=[public("a test")])
    try:
        create_app(Settings(), application=Application(routers=[router], proxies=proxies))
    except InvalidSettings as invalid:
        return invalid.errors
    return []


ADMIN = declare("/inv/admin/{path:path}")
READ = declare(REST, "r")


@pytest.mark.parametrize(
    ("first", "path"),
    [
        (ADMIN, "/inv/admin"),
        (declare("/inv/reset"), "/inv/reset/"),
        (declare("/inv/reset/"), "/inv/reset"),
        (declare("/inv/{shop}"), "/inv/{shop}/"),
        (declare("/inv/{shop}/admin/{rest:path}"), "/inv/{shop}/admin"),
        (declare("/inv/admin/{path:path}", ["r", "admin"]), "/inv/admin"),
        (declare("/inv/admin/{path:path}", methods=["POST"]), "/inv/admin"),
        (declare("/inv/{user}/{path:path}", "r", owner="user"), "/inv/{user}"),
    ],
)
@pytest.mark.parametrize("rest", [READ, declare(REST, public="a test")])
def test_a_weaker_route_must_not_serve_the_other_spelling(
    first: Proxy, path: str, rest: Proxy
) -> None:
    (error,) = find_errors(first, rest)
    assert error.path == str(first)
    assert f"does not cover {path}, which ANY {REST}" in error.message
    assert f"declare {path} as well" in error.hint


@pytest.mark.parametrize(
    "proxies",
    [
        (declare("/inv/admin"), ADMIN, READ),
        (declare("/inv/reset"), declare("/inv/reset/"), READ),
        (declare("/"), declare("/{path:path}", "r")),
        (ADMIN, declare(REST, "admin")),
        (ADMIN, declare(REST, ["admin", "r"])),
        (declare("/inv/health", public="a test"), READ),
        (declare("/inv/open/{path:path}", public="a test"), READ),
        (declare("/inv/any/{path:path}", ()), READ),
        (ADMIN, declare(REST, "r", to="other")),
        (ADMIN, declare("/other/{path:path}", "r")),
        (declare("/inv/admin/{path:path}", methods=["POST"]), declare(REST, "r", methods=["GET"])),
    ],
)
def test_no_weaker_route_serves_it(proxies: tuple[Proxy, ...]) -> None:
    found = [error for error in find_errors(*proxies) if "does not cover" in error.message]
    assert found == []


def test_an_own_route_may_serve_it() -> None:
    get = {"methods": ["GET"]}
    first = declare("/inv/admin/{path:path}", **get)
    assert find_errors(first, declare(REST, "r", **get), own="/inv/admin") == []


PROXIES = st.builds(
    declare,
    PROXIED_PATHS,
    st.sampled_from(["r", "admin"]),
    methods=st.sampled_from([["GET"], ["POST"], ["GET", "POST"]]),
)


@given(proxies=st.lists(PROXIES, max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_same_errors_are_found_as_by_trying_each_route(proxies: list[Proxy]) -> None:
    app = build_app(Settings(), Application(proxies=proxies))
    found = list(find_uncovered_paths(iter_audited_routes(app.router)))
    with patch("gateway.proxy.uncovered_paths.PathTrie", EveryPath):
        assert list(find_uncovered_paths(iter_audited_routes(app.router))) == found
