"""What a route declares for a status is kept, and each response lists its header fields."""

from fastapi import APIRouter

from gateway.auth import public
from tests.gateway.openapi.example_app import create_example_app, get_operation


def test_what_a_route_declares_itself_is_kept() -> None:
    created, conflict = get_operation("/items", "post"), get_operation("/direct")
    assert created["responses"]["404"]["description"] == "No such item"
    assert list(conflict["responses"]["409"]["content"]) == ["application/json"]
    assert list(get_operation("/readyz")["responses"]["503"]["content"]) == ["application/json"]


def test_a_problem_that_a_route_declares_itself_is_kept_beside_the_gateways() -> None:
    schema = {"type": "object", "properties": {"type": {"const": "urn:acme:closed"}}}
    content = {"application/problem+json": {"schema": schema, "example": {"type": "urn:a"}}}
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/own", responses={503: {"description": "Closed", "content": content}})
    async def get_own() -> int:
        return 1

    document = create_example_app(router).openapi()
    response = document["paths"]["/own"]["get"]["responses"]["503"]
    described = response["content"]["application/problem+json"]
    assert response["description"] == "Closed"
    assert described["example"] == {"type": "urn:a"}
    declared, own = described["schema"]["anyOf"]
    assert declared == schema
    assert [reference["$ref"] for reference in own["oneOf"]] == [
        "#/components/schemas/TemporaryReducedCapacityProblem"
    ]


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
