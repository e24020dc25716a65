"""Routes that no request can reach are errors: the second of two, and one with an invalid path."""

import pytest
from fastapi import APIRouter

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings


async def get_first(name: str) -> str:
    return name


async def get_second(other: str) -> str:
    return other


def build_router(path: str, *, scope: str | None = None, method: str = "GET") -> APIRouter:
    router = APIRouter()
    access = public("a test") if scope is None else requires(scope)
    endpoint = get_second if "other" in path else get_first
    router.add_api_route(path, endpoint, methods=[method], dependencies=[access])
    return router


def start(*routers: APIRouter) -> None:
    create_app(Settings(), application=Application(routers=routers))


@pytest.mark.parametrize("path", ["/things/{name}", "/things/{other}"])
def test_the_second_route_is_named_with_both_places(path: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        start(build_router("/things/{name}"), build_router(path, scope="things:read"))
    (error,) = caught.value.errors
    assert str(error).startswith(f"GET {path}: is declared twice, in ")
    assert str(error).count("test_route_list.py:") == 2


def test_other_methods_paths_and_convertors_are_no_duplicates() -> None:
    start(
        build_router("/things/{name}"),
        build_router("/things/{name}", method="PUT"),
        build_router("/things/{name}/more"),
        build_router("/things/{name:path}"),
    )


def test_a_route_of_the_gateway_itself_cannot_be_replaced() -> None:
    router = APIRouter()
    router.add_api_route("/healthz", get_first, dependencies=[public("a test")])
    with pytest.raises(InvalidSettings, match="GET /healthz: is declared twice"):
        start(router)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("//things", "has an empty segment (//)"),
        ("/things//{name}", "has an empty segment (//)"),
        ("/things/../{name}", 'has a segment "." or ".."'),
        ("/things\n", "has a control character"),
    ],
)
def test_a_route_that_no_request_can_reach_is_an_error(path: str, reason: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        start(build_router(path))
    (error,) = caught.value.errors
    assert f"no request can reach it: the path {reason}" in str(error)
    assert "test_route_list.py:" in error.source


@pytest.mark.parametrize(
    "path", ["/", "/a b/{name}", "/caf\u00e9", "/100%", "/a/{name:path}", "/a/"]
)
def test_a_route_with_an_unusual_path_can_be_reached(path: str) -> None:
    start(build_router(path))
