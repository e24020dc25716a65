"""Operation ids are the names of functions, unique and stable."""

import pytest
from fastapi import APIRouter

from gateway.auth import public
from gateway.fastapi_internals import iter_route_contexts
from gateway.openapi.operation_ids import Operation, choose_operation_ids
from gateway.settings.errors import InvalidSettings
from tests.gateway.openapi.example_app import create_example_app


async def get_item() -> int:
    return 1


async def get_other() -> int:
    return 1


def build_router() -> APIRouter:
    return APIRouter(dependencies=[public("a test")])


def choose(router: APIRouter) -> dict[Operation, str]:
    return dict(choose_operation_ids(iter_route_contexts(router.routes)))


def test_an_id_is_the_name_of_the_function() -> None:
    router = build_router()
    router.add_api_route("/items/{item_id}", get_item)
    router.add_api_route("/declared", get_other, operation_id="read-other")
    router.add_api_route("/named", get_other, name="a name")
    assert choose(router) == {
        ("/items/{item_id}", "get"): "get_item",
        ("/declared", "get"): "read-other",
        ("/named", "get"): "a_name",
    }


def test_functions_of_the_same_name_get_ids_that_do_not_depend_on_their_order() -> None:
    expected = {
        ("/a/{b}", "get"): "get_item_a__b__get",
        ("/b", "get"): "get_item_b_get",
        ("/b", "put"): "get_item_b_put",
    }
    routes = [("/a/{b}", ["GET"]), ("/b", ["GET", "PUT"])]
    for ordered in (routes, routes[::-1]):
        router = build_router()
        for path, methods in ordered:
            router.add_api_route(path, get_item, methods=methods)
        assert choose(router) == expected


def test_a_name_that_another_route_declares_is_shared() -> None:
    router = build_router()
    router.add_api_route("/a", get_item)
    router.add_api_route("/b", get_other, operation_id="get_item")
    assert choose(router) == {("/a", "get"): "get_item_a_get", ("/b", "get"): "get_item"}


def test_an_id_that_is_declared_twice_prevents_the_start() -> None:
    router = build_router()
    router.add_api_route("/a", get_item, operation_id="same")
    router.add_api_route("/b", get_other, operation_id="same")
    with pytest.raises(InvalidSettings, match="'same' is declared by GET /a and GET /b"):
        create_example_app(router)
