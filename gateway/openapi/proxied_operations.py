"""Describes a proxied route as what it is: the service decides on bodies, statuses and schemas."""

from collections.abc import Iterator
from typing import Any

from gateway.fastapi_internals import RouteContext
from gateway.proxy.declaration.proxy import Proxy
from gateway.tickets.redeem_ticket import TICKET_SCHEME

_OPERATIONS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_WITH_BODY = frozenset({"patch", "post", "put"})
_ANYTHING: dict[str, Any] = {"*/*": {}}

EXTENSION = "x-lockgate-proxy"
"""The extension of an operation that is proxied; it names the service.

Its `rest` is the parameter that may have several segments. `docs.js` reads it: OpenAPI has no word
for such a parameter, and Swagger UI would escape the slashes of its value.
"""


def remove_unknown_methods(paths: dict[str, Any], route: RouteContext) -> None:
    """Remove the methods that OpenAPI 3.1 cannot describe, such as PROPFIND."""
    path_item = paths[str(route.path_format)]
    for method in (route.methods or set()) - _OPERATIONS:
        path_item.pop(method.lower(), None)
    if not path_item:
        del paths[str(route.path_format)]


def describe_proxied_operation(operation: dict[str, Any], method: str, proxy: Proxy) -> None:
    """Replace what FastAPI takes for the body and the responses of the endpoint."""
    operation[EXTENSION] = {
        "service": proxy.to,
        "methods": proxy.method_text,
        "websocket": proxy.websocket,
        "rest": next((name for name, is_path in proxy.parameters.items() if is_path), None),
    }
    operation["parameters"] = list(_iter_parameters(proxy))
    if proxy.tickets and method != "get":  # a ticket is for GET alone
        operation["security"] = [it for it in operation["security"] if TICKET_SCHEME not in it]
    if method in _WITH_BODY:
        operation["requestBody"] = {
            "description": f"Streamed to the service {proxy.to}",
            "content": _ANYTHING,
        }
    operation["responses"] = {
        "2XX": {"description": f"The response of the service {proxy.to}"},
        "default": {
            "description": f"Another response of the service {proxy.to}, or a problem such as 405"
        },
    }


def allow_any_content(operation: dict[str, Any]) -> None:
    """Add to every status that the service may send it, too, with a body of any type."""
    for response in operation["responses"].values():
        response["content"] = {**response.get("content", {}), **_ANYTHING}


def _iter_parameters(proxy: Proxy) -> Iterator[dict[str, Any]]:
    for name, is_path in proxy.parameters.items():
        text = "The rest of the path, which may have several segments" if is_path else ""
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            **({"description": text} if text else {}),
        }
