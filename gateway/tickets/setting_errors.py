"""Finds routes that accept tickets which no key would sign."""

from collections.abc import Iterable, Iterator

from gateway.fastapi_internals import RouteContext
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings
from gateway.tickets.ticket_routes import accepts_tickets


def find_ticket_errors(settings: Settings, routes: Iterable[RouteContext]) -> Iterator[ConfigError]:
    """Require a signing key for tickets in Redis: its writers must not issue any."""
    if settings.redis_url is None or settings.identity.signing_key_file is not None:
        return
    for route in routes:
        if accepts_tickets(route):
            yield ConfigError(
                "identity.signing_key_file",
                f"is required: {route.path} accepts tickets, which are signed in Redis",
                "run `lockgate signing-keys rotate --file FILE`, and set identity.issuer and"
                " identity.signing_key_file",
            )
            return
