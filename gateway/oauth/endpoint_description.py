"""Describes the OAuth endpoints for the OpenAPI document: forms, responses and errors."""

from collections.abc import Mapping
from typing import Any, ClassVar

from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase

from gateway.oauth.form import MEDIA_TYPE
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.oauth.presented_credentials import ASSERTION_TYPE

Schema = Mapping[str, Any]

_TEXT = {"type": "string"}

_CREDENTIALS: Mapping[str, Schema] = {
    "client_id": {**_TEXT, "description": "The id of the client, with `client_secret`"},
    "client_secret": {**_TEXT, "description": "Its secret, if it is not sent as Basic"},
    "client_assertion": {**_TEXT, "description": "A JWT that the client has signed (RFC 7523)"},
    "client_assertion_type": {**_TEXT, "description": f"`{ASSERTION_TYPE}`"},
}

_ERROR: Schema = {
    "title": "OAuthError",
    "description": "An error of RFC 6749, section 5.2",
    "type": "object",
    "properties": {
        "error": {**_TEXT, "description": "A code, such as invalid_scope"},
        "error_description": {**_TEXT, "description": "An explanation for people"},
    },
    "required": ["error", "error_description"],
}

_CHALLENGE = {"description": "The challenge of RFC 7617", "schema": _TEXT}


class ClientSecretBasic(SecurityBase):
    """Documents `client_secret_basic`; the endpoint itself authenticates the client."""

    model = HTTPBase(scheme="basic", description="The id of an OAuth client, and its secret")
    scheme_name = "client"
    __hash__: ClassVar[Any] = object.__hash__

    async def __call__(self) -> None:
        """Admit every request."""


def describe_responses(endpoint: OAuthEndpoint) -> dict[int | str, dict[str, Any]]:
    """Describe the response of an endpoint, and its own errors."""
    success: dict[str, Any] = {"description": "Success"}
    if endpoint.response is not None:
        success["content"] = {"application/json": {"schema": endpoint.response}}
    error = {"application/json": {"schema": _ERROR}}
    return {
        200: success,
        400: {"description": "The request is refused", "content": error},
        401: {
            "description": "The client is unknown, or its authentication is not valid",
            "content": error,
            "headers": {"WWW-Authenticate": _CHALLENGE},
        },
    }


def describe_operation(endpoint: OAuthEndpoint) -> dict[str, Any]:
    """Describe the form and header fields of an endpoint, for `openapi_extra`.

    The client may use Basic, or not.
    """
    schema = {
        "type": "object",
        "properties": {**endpoint.parameters, **_CREDENTIALS},
        "required": list(endpoint.required),
    }
    parameters = [
        {"name": name, "in": "header", "required": False, "description": text, "schema": _TEXT}
        for name, text in endpoint.header_fields.items()
    ]
    return {
        "security": [{}],
        "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": schema}}},
        **({"parameters": parameters} if parameters else {}),
    }
