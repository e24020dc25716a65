"""Each route lists exactly the problems that it can return, and the header fields it sends."""

from typing import Any

import pytest
from fastapi import APIRouter

from gateway.auth import owner, requires
from tests.gateway.openapi.example_app import create_example_app, get_operation

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
TOKEN = {"401": {OURS + "unauthenticated"}}

PROBLEMS: dict[tuple[str, str], dict[str, set[str]]] = {
    ("/page/{item_id}", "get"): {
        **ALWAYS,
        **TOKEN,
        **CALLS,
        "403": {OURS + "forbidden"},
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
        "404": {"about:blank"},
        "413": {OURS + "content-too-large"},
        "422": {OURS + "invalid-request"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/direct", "get"): {**ALWAYS, **CALLS},
    ("/nested", "get"): {
        **ALWAYS,
        **TOKEN,
        "403": {OURS + "forbidden"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/mine", "get"): {
        **ALWAYS,
        **TOKEN,
        "403": {OURS + "forbidden", OURS + "user-required"},
        "503": {CAPACITY, IDENTITY},
    },
    ("/healthz", "get"): {"500": ALWAYS["500"], "default": {"about:blank"}},
    ("/readyz", "get"): {"500": ALWAYS["500"], "default": {"about:blank"}},
}


def list_problems(operation: dict[str, Any]) -> dict[str, set[str]]:
    schemas = {
        status: response["content"]["application/problem+json"]["schema"]
        for status, response in operation["responses"].items()
        if "application/problem+json" in response.get("content", {})
    }
    for schema in schemas.values():
        references = [entry["$ref"] for entry in schema["oneOf"]]
        assert references == list(schema["discriminator"]["mapping"].values())
        assert schema["discriminator"]["propertyName"] == "type"
    return {status: set(it["discriminator"]["mapping"]) for status, it in schemas.items()}


def test_every_route_is_in_the_table() -> None:
    paths = create_example_app().openapi()["paths"]
    assert {(path, method) for path, it in paths.items() for method in it} == PROBLEMS.keys()


@pytest.mark.parametrize(("path", "method"), PROBLEMS)
def test_a_route_lists_exactly_its_problems(path: str, method: str) -> None:
    assert list_problems(get_operation(path, method)) == PROBLEMS[path, method]


def test_a_route_that_requires_an_owner_alone_can_be_forbidden() -> None:
    router = APIRouter()

    @router.get("/own/{user_id}", dependencies=[requires(), owner("user_id")])
    async def get_own(user_id: int) -> int:
        return user_id

    operation = create_example_app(router).openapi()["paths"]["/own/{user_id}"]["get"]
    assert list_problems(operation)["403"] == {OURS + "forbidden"}


def test_what_a_route_declares_itself_is_kept() -> None:
    created, conflict = get_operation("/items", "post"), get_operation("/direct")
    assert created["responses"]["404"]["description"] == "No such item"
    assert list(conflict["responses"]["409"]["content"]) == ["application/json"]
    assert list(get_operation("/readyz")["responses"]["503"]["content"]) == ["application/json"]


def list_headers(path: str, method: str = "get") -> dict[str, set[str]]:
    responses = get_operation(path, method)["responses"]
    return {status: set(it["headers"]) - {"X-Request-Id"} for status, it in responses.items()}


def test_a_response_lists_the_header_fields_that_it_carries() -> None:
    limits = {"RateLimit", "RateLimit-Policy"}
    assert list_headers("/page/{item_id}") == {
        "200": {*limits, "Server-Timing"},
        "401": {"WWW-Authenticate"},
        "403": {"WWW-Authenticate"},
        "422": limits,
        "429": {*limits, "Retry-After"},
        "500": limits,
        "502": limits,
        "503": {*limits, "Retry-After"},
        "504": limits,
        "default": {"Allow"},
    }
    assert list_headers("/extras") == {
        "200": {"Server-Timing"},
        "500": set(),
        "503": {"Retry-After"},
        "default": {"Allow"},
    }


def test_every_response_has_the_id_of_the_request() -> None:
    document = create_example_app().openapi()
    responses = [
        response
        for path in document["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
    ]
    assert len(responses) > 40
    reference = {"$ref": "#/components/headers/X-Request-Id"}
    assert all(response["headers"]["X-Request-Id"] == reference for response in responses)
    assert document["components"]["headers"]["Retry-After"]["schema"]["type"] == "integer"
