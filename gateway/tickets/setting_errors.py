"""Finds routes that accept tickets while the processes of the gateway would not share them."""

from collections.abc import Iterator, Sequence

from starlette.routing import BaseRoute

from gateway.fastapi_internals import RouteContext, iter_calls, iter_route_contexts
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings
from gateway.tickets.dependency import AcceptTicket


def find_ticket_errors(
    settings: Settings, routes: Sequence[BaseRoute | RouteContext]
) -> list[ConfigError]:
    """Find that several processes keep tickets, each its own: `redis_url` is missing."""
    processes = settings.counters.processes
    path = next(_iter_paths(routes), None)
    if processes == 1 or settings.redis_url is not None or path is None:
        return []
    message = (
        f"is required: counters.processes is {processes}, and {path} accepts tickets; without "
        "Redis, only the process that issued a ticket knows it"
    )
    return [ConfigError("redis_url", message, "set LOCKGATE_REDIS_URL")]


def _iter_paths(routes: Sequence[BaseRoute | RouteContext]) -> Iterator[str]:
    """Yield the paths of the routes that accept tickets."""
    for route in iter_route_contexts(routes):
        dependant = getattr(route, "dependant", None)
        if dependant and any(isinstance(call, AcceptTicket) for call in iter_calls(dependant)):
            yield str(route.path)
