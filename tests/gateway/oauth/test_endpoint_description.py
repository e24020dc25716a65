"""The OpenAPI document has the OAuth endpoints, with their forms and errors."""

from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.oauth.routes import ENDPOINTS
from tests.gateway.oauth.oauth_gateway import make_settings


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    return create_app(make_settings(tmp_path), application=Application()).openapi()


def test_the_token_endpoint_is_described(document: dict[str, Any]) -> None:
    operation = document["paths"]["/oauth/token"]["post"]
    ((media_type, body),) = operation["requestBody"]["content"].items()
    assert media_type == "application/x-www-form-urlencoded"
    assert body["schema"]["required"] == ["grant_type"]
    properties = body["schema"]["properties"]
    assert {"scope", "client_secret", "client_assertion", "subject_token"} < set(properties)
    assert properties["audience"]["type"] == "array"  # it may be sent several times
    (field,) = operation["parameters"]
    assert (field["name"], field["in"], field["required"]) == ("DPoP", "header", False)
    assert "parameters" not in document["paths"]["/oauth/revoke"]["post"]
    token = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert token["required"] == ["access_token", "token_type", "expires_in", "scope"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_endpoint_has_the_errors_of_oauth_and_of_the_gateway(
    document: dict[str, Any], name: str
) -> None:
    operation = document["paths"][ENDPOINTS[name][0]]["post"]
    responses = operation["responses"]
    assert set(responses) == {"200", "400", "401", "413", "415", "429", "500", "503", "default"}
    for status in ("400", "401"):
        error = responses[status]["content"]["application/json"]["schema"]
        assert error["required"] == ["error", "error_description"]
    assert "RFC 7617" in responses["401"]["headers"]["WWW-Authenticate"]["description"]
    assert "Retry-After" in responses["429"]["headers"]
    assert operation["security"] == [{"client": []}, {}]
    assert document["components"]["securitySchemes"]["client"]["scheme"] == "basic"
