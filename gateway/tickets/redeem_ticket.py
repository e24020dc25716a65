"""`accept_ticket()`: the dependency that redeems the ticket in the query of a request."""

import time

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.params import Depends as Dependency
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import set_principal
from gateway.auth.principal import Principal
from gateway.auth.revocation_check import RevocationCheck
from gateway.errors.tree import TicketRefused, TicketsUnavailable
from gateway.fastapi_internals import forget_query, get_route_path
from gateway.head_guard import HeadGuard
from gateway.request_context import RequestContext
from gateway.tickets.query import PARAMETER, split_tickets
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import hash_text, is_text

TICKET_SCHEME = "ticket"
"""The name of the security scheme in OpenAPI."""


def accept_ticket() -> Dependency:
    """Let a request prove its caller by `?ticket=`; put it before `requires(...)`."""
    dependency: Dependency = Depends(_ACCEPT_TICKET)
    return dependency


class AcceptTicket(SecurityBase, HeadGuard):
    """The dependency behind `accept_ticket`; OpenAPI documents it as an API key in the query.

    It only finds out who the caller is: the guards after it decide whether that caller may call the
    route. A request without a ticket passes, and needs its token there.
    """

    def __init__(self) -> None:
        self.model = APIKey.model_validate({"in": APIKeyIn.query, "name": PARAMETER})
        self.scheme_name = TICKET_SCHEME

    async def __call__(self, connection: HTTPConnection) -> None:
        """Redeem the ticket of a request, and take it out of the query.

        Raises:
            HTTPException: 400, the request has a token as well, or two tickets.
            TicketRefused: the ticket is wrong, used, expired, or for another path; or the method
                is not GET.
            TicketsUnavailable: the store does not respond.
        """
        log_fields = RequestContext.of(connection.scope).log_fields
        try:
            text = extract_ticket(connection)
            if text is not None:
                set_principal(connection, await _redeem(connection, text))
        except TicketRefused as refusal:
            log_fields |= {"reason": refusal.reason, "explanation": refusal.explanation}
            raise
        except TicketsUnavailable as error:
            log_fields["explanation"] = error.explanation
            raise


_ACCEPT_TICKET = AcceptTicket()


def extract_ticket(connection: HTTPConnection) -> str | None:
    """Take the ticket out of the query, and return its text; None if the query has none.

    Raises:
        HTTPException: 400, the request has a token as well, or two tickets.
        TicketRefused: the method is not GET, or this is not the text of a ticket.
    """
    scope = connection.scope
    tickets, rest = split_tickets(scope["query_string"])
    if not tickets:
        return None
    scope["query_string"] = rest
    forget_query(connection)
    RequestContext.of(scope).is_private = True
    if len(tickets) > 1:
        raise HTTPException(400, "The query has more than one ticket.")
    if any(name == b"authorization" for name, _ in scope["headers"]):
        raise HTTPException(400, "Send an access token or a ticket, not both.")
    if scope["method"] != "GET":
        raise TicketRefused("ticket_method", "a ticket is for GET alone")
    text = tickets[0].decode("latin-1")
    if not is_text(text):
        raise TicketRefused("ticket_malformed", "this is not the text of a ticket")
    return text


async def _redeem(connection: HTTPConnection, text: str) -> Principal:
    """Return the caller of a ticket, which is used up with that, even if it is for another path."""
    store: TicketStore = connection.app.state.resources[TicketStore]
    ticket = await store.take(hash_text(text))
    if ticket is None:
        raise TicketRefused("ticket_unknown", "it was never issued, or is used or expired")
    # The ticket expires before the token, unless the clock is set forward, or the machine sleeps.
    if ticket.principal.expires_at <= time.time():
        raise TicketRefused("ticket_expired", "the token that it was issued for has expired")
    revocations: RevocationCheck | None = connection.app.state.resources.get(RevocationCheck)
    if revocations is not None:
        revocations.require_unrevoked(ticket.principal)
    if ticket.path != get_route_path(connection.scope):
        raise TicketRefused("ticket_path", "it was issued for another path")
    return ticket.principal
