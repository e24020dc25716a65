"""The OpenAPI document is valid, and describes models, inputs and access rules."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.openapi.models import OpenAPI
from pydantic import BaseModel

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.openapi.document import build_document
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.upstream import ResponseModel, UpstreamProblem, raises
from tests.gateway.openapi.example_app import create_example_app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_example_app().openapi()


def test_the_document_is_valid_and_complete_for_fastapis_own_models(
    document: dict[str, Any],
) -> None:
    parsed = OpenAPI.model_validate(document)
    assert (
        parsed.model_dump(by_alias=True, exclude_none=True, mode="json").keys() == document.keys()
    )


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    references = list_references(document)
    assert len(references) > 50
    for reference in references:
        root, *steps = reference.split("/")
        assert root == "#"
        node = document
        for step in steps:
            node = node[step]


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    references = set(list_references(document))
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert names <= references


def test_degraded_names_the_optional_parts_of_each_composite(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    degraded = schemas["Page"]["properties"]["degraded"]
    assert degraded["items"] == {"$ref": "#/components/schemas/PageDegraded"}
    assert schemas["PageDegraded"]["properties"]["part"]["enum"] == ["names", "others"]
    assert schemas["ExtrasDegraded"]["properties"]["part"]["enum"] == ["names"]
    reasons = schemas["PageDegraded"]["properties"]["reason"]["enum"]
    assert reasons == ["timeout", "unavailable", "refused", "invalid", "error"]
    assert schemas["Whole"]["properties"]["degraded"]["maxItems"] == 0


def test_a_response_has_every_field_of_a_composite(document: dict[str, Any]) -> None:
    page = document["components"]["schemas"]["Page"]
    assert page["required"] == list(page["properties"]) == ["item", "names", "others", "degraded"]


def test_an_operation_describes_inputs_and_access(document: dict[str, Any]) -> None:
    operation = document["paths"]["/page/{item_id}"]["get"]
    assert [(it["in"], it["name"]) for it in operation["parameters"]] == [("path", "item_id")]
    assert operation["security"] == [{"bearer": ["page:read"]}]
    assert operation["operationId"] == "get_page"
    assert "security" not in document["paths"]["/whole"]["get"]
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_a_response_of_the_application_for_422_is_kept() -> None:
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/own", responses={422: {"description": "our own"}})
    async def get_own(n: int) -> int:
        return n

    response = create_example_app(router).openapi()["paths"]["/own"]["get"]["responses"]["422"]
    assert response["description"] == "our own"
    assert "application/problem+json" in response["content"]


def test_a_model_that_has_the_name_of_one_of_fastapi_is_kept() -> None:
    class ValidationError(BaseModel):
        line: int

    router = APIRouter(dependencies=[public("a test")])

    @router.get("/checks")
    async def get_checks() -> list[ValidationError]:
        return [ValidationError(line=1)]

    document = create_app(Settings(), application=Application(routers=[router])).openapi()
    schema = document["components"]["schemas"]["ValidationError"]
    assert list(schema["properties"]) == ["line"]


def test_a_model_that_has_the_name_of_a_problem_of_the_gateway_is_kept() -> None:
    class ForbiddenProblem(BaseModel):
        line: int

    class GatewayForbiddenProblem(BaseModel):
        column: int

    router = APIRouter(dependencies=[requires("a:read")])

    @router.get("/problems")
    async def get_problems() -> tuple[ForbiddenProblem, GatewayForbiddenProblem]:
        return ForbiddenProblem(line=1), GatewayForbiddenProblem(column=1)

    document = create_app(Settings(), application=Application(routers=[router])).openapi()
    schemas = document["components"]["schemas"]
    assert list(schemas["ForbiddenProblem"]["properties"]) == ["line"]
    assert list(schemas["GatewayForbiddenProblem"]["properties"]) == ["column"]
    refusal = document["paths"]["/problems"]["get"]["responses"]["403"]
    mapping = refusal["content"]["application/problem+json"]["schema"]["discriminator"]["mapping"]
    name = "GatewayGatewayForbiddenProblem"
    assert mapping["urn:lockgate:problem:forbidden"] == f"#/components/schemas/{name}"
    assert schemas[name]["title"] == name


def test_a_route_with_two_methods_gives_no_warning() -> None:
    router = APIRouter(dependencies=[public("a test")])

    @router.api_route("/both", methods=["GET", "POST"])
    async def serve_both() -> int:
        return 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = create_example_app(router).openapi()["paths"]["/both"]
    assert path["get"]["operationId"] != path["post"]["operationId"]


class Engine:
    """A type without a JSON schema."""


class Car(BaseModel, arbitrary_types_allowed=True):
    engine: Engine


class Wreck(ResponseModel):
    repair: Callable[[], None]


class CarSold(UpstreamProblem, status=409, type="urn:acme:sold", members=Wreck):
    """The members have no JSON schema either."""


def test_a_route_without_a_json_schema_is_an_error_that_names_it() -> None:
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/cars")
    async def get_cars() -> list[Car]:
        return []

    @router.get("/numbers")
    async def get_numbers() -> list[int]:
        return []

    @router.post("/sales")
    @raises(CarSold)
    async def post_sale() -> int:
        return 1

    @router.get("/hidden", include_in_schema=False)
    async def get_hidden() -> list[Car]:
        return []

    app = create_app(Settings(), application=Application(routers=[router]))
    with pytest.raises(InvalidSettings) as raised:
        build_document(app)
    assert [(it.path, it.hint) for it in raised.value.errors] == [
        ("GET /cars", HINT),
        ("POST /sales", HINT),
    ]
    assert raised.value.errors[0].message == (
        "has no OpenAPI description: Cannot generate a JsonSchema for core_schema.IsInstanceSchema "
        f"({Engine})"
    )


HINT = "give the type a schema with pydantic's WithJsonSchema, or include_in_schema=False"


def test_a_route_that_is_added_later_is_described() -> None:
    app = create_example_app()
    before = app.openapi()
    assert app.openapi() is before

    @app.get("/later", dependencies=[public("a test")])
    async def get_later() -> int:
        return 1

    assert app.openapi()["paths"].keys() - before["paths"].keys() == {"/later"}


def list_references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in list_references(value)]
    if isinstance(node, list):
        return [found for value in node for found in list_references(value)]
    return []
