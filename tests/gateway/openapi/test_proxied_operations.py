"""OpenAPI describes a proxied route as what it is."""

from typing import Any

import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.proxy import Proxy
from gateway.ratelimit.policy import RateLimit
from gateway.settings.schema import Settings

LIMIT = RateLimit("stock", "10/minute")
PROXIES = [
    Proxy(
        "/stock/{sku}/{path:path}",
        to="stock",
        requires="stock:read",
        limit=LIMIT,
        tickets=True,
        identity="headers",
    ),
    Proxy("/open/{path:path}", to="open", public="a test", methods=["PROPFIND"]),
    Proxy("/hooks", to="open", public="a test", methods=["POST"], target="/"),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(), application=Application(proxies=PROXIES)).openapi()


def test_only_methods_of_openapi_are_listed(document: dict[str, Any]) -> None:
    assert set(document["paths"]["/stock/{sku}/{path}"]) == {
        "delete",
        "get",
        "head",
        "options",
        "patch",
        "post",
        "put",
    }
    assert "/open/{path}" not in document["paths"]


def test_an_operation_says_that_it_is_proxied_and_to_what(document: dict[str, Any]) -> None:
    operation = document["paths"]["/stock/{sku}/{path}"]["get"]
    assert operation["x-lockgate-proxy"] == {
        "rest": "path",
        "service": "stock",
        "methods": "ANY",
        "websocket": False,
    }
    assert operation["tags"] == ["stock"]
    assert [(it["name"], it["in"], it["required"]) for it in operation["parameters"]] == [
        ("sku", "path", True),
        ("path", "path", True),
    ]
    assert operation["security"] == [{"ticket": []}, {"bearer": ["stock:read"]}]


def test_a_ticket_is_listed_for_get_alone(document: dict[str, Any]) -> None:
    item = document["paths"]["/stock/{sku}/{path}"]
    assert [name for name in item if {"ticket": []} in item[name]["security"]] == ["get"]
    assert item["post"]["security"] == [{"bearer": ["stock:read"]}]


def test_the_gateway_lists_its_problems_and_no_schema_of_the_service(
    document: dict[str, Any],
) -> None:
    item = document["paths"]["/stock/{sku}/{path}"]
    statuses = {"400", "401", "403", "429", "500", "502", "503", "504", "2XX", "default"}
    assert set(item["get"]["responses"]) == statuses
    assert set(item["post"]["responses"]) == statuses | {"408", "413"}
    assert set(document["paths"]["/hooks"]["post"]["responses"]) == (
        statuses - {"401", "403"} | {"408", "413"}
    )
    assert item["get"]["responses"]["2XX"]["content"] == {"*/*": {}}
    assert set(item["get"]["responses"]["503"]["content"]) == {"*/*", "application/problem+json"}
    assert item["post"]["requestBody"]["content"] == {"*/*": {}}
    assert "requestBody" not in item["get"]


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [it["operationId"] for item in document["paths"].values() for it in item.values()]
    assert len(ids) == len(set(ids)) > 7
