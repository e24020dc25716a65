"""The OpenAPI document names models, inputs, scopes and every problem of a route."""

from typing import Any

import pytest

from gateway.testing import lockgate


@pytest.fixture
async def document() -> dict[str, Any]:
    async with lockgate() as gateway:
        answer = await gateway.get("/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def test_the_dashboard_is_documented_completely(document: dict[str, Any]) -> None:
    operation = document["paths"]["/dashboard/{user_id}"]["get"]
    assert [(p["in"], p["name"]) for p in operation["parameters"]] == [
        ("path", "user_id"),
        ("query", "limit"),
    ]
    assert operation["security"] == [{"bearer": ["dashboard:read"]}]
    assert sorted(operation["responses"]) == [
        "200", "401", "403", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    problem = operation["responses"]["504"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/ProblemDocument"}


def test_the_model_lists_the_parts_that_may_be_missing(document: dict[str, Any]) -> None:
    dashboard = document["components"]["schemas"]["Dashboard"]
    assert list(dashboard["properties"])[-1] == "degraded"
    assert "profile" in dashboard["required"]
    assert "title" in dashboard["properties"]["orders"]
    reasons = document["components"]["schemas"]["Degraded"]["properties"]["reason"]["enum"]
    assert set(reasons) == {"timeout", "unavailable", "refused", "invalid", "error"}


def test_a_public_route_requires_no_token(document: dict[str, Any]) -> None:
    operation = document["paths"]["/healthz"]["get"]
    assert "security" not in operation
    assert sorted(operation["responses"]) == ["200", "500", "503"]


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = list(_references(document))
    assert len(references) > 10
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas


async def test_the_document_has_a_page() -> None:
    async with lockgate() as gateway:
        answer = await gateway.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "openapi.json" in answer.text


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []
