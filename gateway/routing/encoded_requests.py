"""Refuses a request body with a content coding where the gateway would parse it (RFC 7694)."""

from collections.abc import Iterable

from starlette.types import Scope

from gateway.errors.tree import UnsupportedContentCoding
from gateway.fastapi_internals import RouteContext, matches_request, parses_body

_CONTENT_ENCODING = b"content-encoding"
_IDENTITY = b"identity"


def has_content_coding(scope: Scope) -> bool:
    """Whether the body of a request is encoded, as its header fields say."""
    return any(
        name == _CONTENT_ENCODING and value.strip().lower() not in {b"", _IDENTITY}
        for name, value in scope["headers"]
    )


def refuse_content_coding(scope: Scope, routes: Iterable[RouteContext]) -> None:
    """Refuse an encoded body if the route declares a model or a form that it would be parsed into.

    A route that reads the bytes itself may decode them.

    Raises:
        UnsupportedContentCoding: the route cannot parse the body.
    """
    for route in routes:
        if matches_request(route, scope):
            if parses_body(route):
                raise UnsupportedContentCoding
            return
