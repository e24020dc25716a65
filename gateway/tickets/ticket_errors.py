"""Finds routes that accept tickets without what their store needs."""

from collections.abc import Iterable, Iterator

from gateway.auth.route_access import asks_for_proof
from gateway.fastapi_internals import RouteContext
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings
from gateway.tickets.ticket_routes import accepts_tickets


def find_ticket_errors(settings: Settings, routes: Iterable[RouteContext]) -> Iterator[ConfigError]:
    """Require Redis for the tickets of several processes, and a signing key for those in Redis."""
    accepting = list(filter(accepts_tickets, routes))
    for route in filter(asks_for_proof, accepting):
        yield ConfigError(
            str(route.path),
            "accepts tickets and asks for DPoP: a ticket proves no key",
            "remove accept_ticket(), or dpop=True",
        )
    if not accepting:
        return
    route = accepting[0]
    processes = settings.counters.processes
    if settings.redis_url is None and processes > 1:
        yield ConfigError(
            "redis_url",
            f"is required: counters.processes is {processes}, and {route.path} accepts tickets;"
            " without Redis, only the process that issued a ticket knows it",
            "set LOCKGATE_REDIS_URL",
        )
    if settings.redis_url is not None and not settings.identity.has_signing_keys:
        yield ConfigError(
            "identity.signing_key_file",
            f"is required: {route.path} accepts tickets, which are signed in Redis",
            "run `lockgate signing-keys rotate --file FILE`, and set identity.issuer and"
            " identity.signing_key_file",
        )
