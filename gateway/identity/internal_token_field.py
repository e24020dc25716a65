"""Sends an internal token with the calls of a typed client (`upstreams.NAME.internal_token`)."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from gateway.auth.dependencies import find_principal, get_required_scopes
from gateway.identity.internal_tokens import InternalTokens
from gateway.settings.schema import Service
from gateway.upstream.service_headers import GetRequestFields


def create_token_fields(
    upstreams: Mapping[str, Service], tokens: InternalTokens | None
) -> dict[str, GetRequestFields]:
    """Return the field of each service that asks for an internal token, by name."""
    if tokens is None:
        return {}
    names = [name for name, service in upstreams.items() if service.internal_token]
    return {name: InternalTokenField(tokens, name) for name in names}


class InternalTokenField:
    """Returns the `Authorization` of the calls to one service, from the scope of the request.

    The token has the scopes that the route has required of the caller so far. Without a caller, as
    on a public route, nothing is sent.
    """

    def __init__(self, tokens: InternalTokens, service: str) -> None:
        self._tokens = tokens
        self._service = service

    def __call__(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """Return the field, or none."""
        connection = HTTPConnection(dict(scope))
        principal = find_principal(connection)
        if principal is None:
            return {}
        required = get_required_scopes(connection.scope)
        return {"authorization": f"Bearer {self._tokens.issue(principal, self._service, required)}"}
