"""`POST /auth/tickets`: issues a ticket for a path to the caller of a valid token."""

import time
from typing import Annotated

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.auth.dependencies import Caller, requires
from gateway.errors.tree import TicketsUnavailable, Unauthenticated
from gateway.ratelimit.limited_dependency import limited
from gateway.ratelimit.policy import RateLimit
from gateway.request_context import RequestContext
from gateway.request_path import InvalidPath, decode_path
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import LIFETIME_SECONDS, Ticket, generate_text, hash_text
from gateway.tickets.ticket_routes import RefusedPath, TicketRoutes

PATH = "/auth/tickets"

AUTH_TICKETS = RateLimit("auth_tickets", "60/minute", per="user")
"""It also bounds the tickets of one caller: each lives for at most half a minute."""

MAX_PATH = 2_048  # characters

router = APIRouter(tags=["tickets"], dependencies=[requires(), limited(AUTH_TICKETS)])


def _check_path(path: str) -> str:
    """Check a path as the gateway will read it in the target of a request.

    Raises:
        ValueError: no request can have this path.
    """
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise ValueError("must be the escaped path of a request, such as /stream/prices")
    if "?" in path or "#" in path:
        raise ValueError("must have no query and no fragment")
    try:
        decode_path(path.encode())
    except InvalidPath as error:
        raise ValueError(f"the path {error}") from None
    return path


class TicketRequest(BaseModel):
    """What the ticket is for: the path that the browser will request, without the query."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[
        str,
        Field(max_length=MAX_PATH, examples=["/stream/prices"]),
        AfterValidator(_check_path),
    ]


class IssuedTicket(BaseModel):
    """A ticket: send it as `?ticket=` within `expires_in` seconds. It can be used once."""

    ticket: str
    expires_in: int


@router.post(PATH)
async def issue_ticket(wanted: TicketRequest, caller: Caller, request: Request) -> IssuedTicket:
    """Issue a ticket for a path whose route accepts tickets, and that the caller may call now."""
    context = RequestContext.of(request.scope)
    seconds = min(LIFETIME_SECONDS, int(caller.expires_at - time.time()))
    if seconds < 1:
        context.log_fields["reason"] = "token_expires"
        raise Unauthenticated("token_expires", "the token expires within a second")
    routes: TicketRoutes = request.app.state.resources[TicketRoutes]
    try:
        path = await routes.authorize(request.scope, wanted.path.encode())
    except RefusedPath as error:
        invalid = {"loc": ("body", "path"), "msg": str(error)}
        raise RequestValidationError([invalid]) from None
    if path is None:
        raise HTTPException(404, "No route with this path accepts tickets.")
    store: TicketStore = request.app.state.resources[TicketStore]
    text = generate_text()
    try:
        await store.save(hash_text(text), Ticket(path, caller), seconds)
    except TicketsUnavailable as error:
        context.log_fields["explanation"] = error.explanation
        raise
    return IssuedTicket(ticket=text, expires_in=seconds)
