"""Each route lists exactly the problems that it can return."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, public, requires
from gateway.resources import Upstream
from tests.gateway.openapi.example_app import (
    Items,
    create_example_app,
    get_operation,
    list_problems,
)

OURS = "urn:lockgate:problem:"
IANA = "https://iana.org/assignments/http-problem-types#"
QUOTA, CAPACITY = IANA + "quota-exceeded", IANA + "temporary-reduced-capacity"
IDENTITY, UNAVAILABLE = OURS + "identity-unavailable", OURS + "upstream-unavailable"
ALWAYS = {"500": {OURS + "internal-error"}, "503": {CAPACITY}, "default": {"about:blank"}}
CALLS = {
    "502": {OURS + "upstream-refused", OURS + "upstream-invalid"},
    "503": {CAPACITY, UNAVAILABLE},
    "504": {OURS + "upstream-timeout"},
}
TOKEN = {"401": {OURS + "unauthenticated"}, "429": {QUOTA}}

PROBLEMS: dict[tuple[str, str], dict[str, set[str]]] = {
    ("/page/{item_id}", "get"): {
        **ALWAYS,
        **TOKEN,
        **CALLS,
        "403": {OURS + "forbidden", OURS + "wrong-service"},
        "422": {OURS + "invalid-request"},
        "429": {QUOTA},
        "503": {CAPACITY, IDENTITY, UNAVAILABLE},
    },
    ("/extras", "get"): ALWAYS,
    ("/whole", "get"): {**ALWAYS, **CALLS, "429": {QUOTA}},
    ("/items", "post"): {
        **ALWAYS,
        **TOKEN,
        "400": {"about:blank"},
        "403": {OURS + "wrong-service"},
        "404": {"about:blank"},
        "413": {OURS + "content-too-large"},
        "415": {OURS + "unsupported-content-coding"},
        "422": {OURS + "invalid-request"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/direct", "get"): {**ALWAYS, **CALLS},
    ("/nested", "get"): {
        **ALWAYS,
        **TOKEN,
        "403": {OURS + "forbidden", OURS + "wrong-service"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/mine", "get"): {
        **ALWAYS,
        **TOKEN,
        "403": {OURS + "forbidden", OURS + "user-required", OURS + "wrong-service"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/healthz", "get"): {"500": ALWAYS["500"], "default": {"about:blank"}},
    ("/readyz", "get"): {"500": ALWAYS["500"], "default": {"about:blank"}},
}


def test_every_route_is_in_the_table() -> None:
    paths = create_example_app().openapi()["paths"]
    assert {(path, method) for path, it in paths.items() for method in it} == PROBLEMS.keys()


@pytest.mark.parametrize(("path", "method"), PROBLEMS)
def test_a_route_lists_exactly_its_problems(path: str, method: str) -> None:
    assert list_problems(get_operation(path, method)) == PROBLEMS[path, method]


async def count_items(items: Upstream[Items]) -> int:
    return await items.get("/count", into=int)


async def list_names(count: Annotated[int, Depends(count_items)]) -> list[str]:
    return ["a"] * count


class Named(Composite):
    names: Annotated[list[str], Part(list_names)] = []  # noqa: RUF012 - pydantic copies a default


def test_an_error_in_a_dependency_of_an_optional_part_ends_the_request() -> None:
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/named")
    async def get_named(named: Composed[Named]) -> Named:
        return named

    document = create_example_app(router).openapi()
    assert list_problems(document["paths"]["/named"]["get"]) == {**ALWAYS, **CALLS}


def test_a_route_that_requires_an_owner_alone_can_be_forbidden() -> None:
    router = APIRouter()

    @router.get("/own/{user_id}", dependencies=[requires(), owner("user_id")])
    async def get_own(user_id: int) -> int:
        return user_id

    operation = create_example_app(router).openapi()["paths"]["/own/{user_id}"]["get"]
    assert list_problems(operation)["403"] == {OURS + "forbidden", OURS + "wrong-service"}
