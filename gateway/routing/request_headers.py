"""The header fields of requests that routes read."""

from collections.abc import Iterator

from fastapi import APIRouter

from gateway.fastapi_internals import iter_dependants, iter_route_contexts


def find_request_headers(router: APIRouter) -> Iterator[str]:
    """Yield the name of each header parameter of a route or of one of its dependencies."""
    for route in iter_route_contexts(router.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None:
            for each in iter_dependants(dependant):
                yield from (field.alias for field in each.header_params)
