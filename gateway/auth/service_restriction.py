"""Restricts a token to the services that it names (`services`): 403 on the routes of others.

Token exchange issues such tokens. `own_token_rules.py` reads the claim.
"""

from starlette.requests import HTTPConnection

from gateway.auth.jwt.refusal import show_all
from gateway.errors.tree import WrongService
from gateway.service_endpoint import ServiceEndpoint
from gateway.telemetry.log import LogField


def require_service(
    connection: HTTPConnection, services: frozenset[str], log_fields: dict[str, LogField]
) -> None:
    """Require a route all of whose requests go to one of the services.

    Raises:
        WrongService: the route is another one.
    """
    endpoint = connection.scope.get("endpoint")
    service = endpoint.service if isinstance(endpoint, ServiceEndpoint) else None
    if service not in services:
        log_fields["reason"] = "wrong_service"
        names = show_all(sorted(services))
        log_fields["explanation"] = f"the token is for {names}, the route of {service or 'none'}"
        raise WrongService(services)
