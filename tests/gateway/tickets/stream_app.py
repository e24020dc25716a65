"""Routes that accept tickets, and a gateway that serves them on a socket."""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel

from gateway.auth import Caller, Principal, owner, public, requires
from gateway.auth.verifier import TokenVerifier
from gateway.proxy import Proxy
from gateway.ratelimit import RateLimit, limited
from gateway.settings.schema import Settings
from gateway.tickets import accept_ticket
from gateway.tickets.ticket import Ticket
from tests.gateway.auth.fake_verifier import FakeVerifier
from tests.gateway.errors.served import Reply, Served, build_request, serve

ONCE = RateLimit("once", "1/hour")

TICKET = Ticket(
    "/stream/prices",
    Principal("https://iss.test", "u1", frozenset({"prices:read", "a"}), "u1", None, "acme", 4e9),
)

router = APIRouter()


class Answer(BaseModel):
    """The caller and the query as the endpoint sees them."""

    caller: str
    query: str
    parameters: dict[str, str]


class Note(BaseModel):
    text: str


def _answer(caller: Principal, request: Request) -> Answer:
    return Answer(
        caller=caller.subject,
        query=str(request.scope["query_string"], "ascii"),
        parameters=dict(request.query_params),
    )


_prices = requires("prices:read")


@router.get("/stream/prices", dependencies=[accept_ticket(), _prices])
async def get_prices(request: Request, caller: Caller) -> Answer:
    return _answer(caller, request)


@router.get("/general/{path:path}", dependencies=[accept_ticket(), _prices])
def get_path(path: str, request: Request, caller: Caller) -> Answer:
    """Serve a route that is not compiled, because its function is no coroutine."""
    return _answer(caller, request)


@router.get("/users/{user_id}", dependencies=[accept_ticket(), _prices, owner("user_id")])
async def get_user(user_id: int, request: Request, caller: Caller) -> Answer:
    return _answer(caller, request)


@router.get("/counted", dependencies=[accept_ticket(), _prices, limited(ONCE)])
async def get_counted() -> str:
    return "counted"


@router.post("/notes", dependencies=[accept_ticket(), _prices])
async def post_note(note: Note) -> str:
    return note.text


@router.get("/plain", dependencies=[requires("prices:read")])
async def get_plain() -> str:
    return "plain"


@router.get("/open", dependencies=[accept_ticket(), public("a test")])
async def get_open() -> str:
    return "open"


class Verifier(FakeVerifier):
    """The tokens of `FakeVerifier`; those of the user `short` expire in 5.5 seconds."""

    async def verify(self, token: str) -> Principal:
        """Read user and scopes from the text of the token."""
        principal = await super().verify(token)
        lifetimes = {"short": 5.5, "late": 0.5}
        if principal.subject not in lifetimes:
            return principal
        expires_at = time.time() + lifetimes[principal.subject]
        return Principal("iss", principal.subject, principal.scopes, None, None, None, expires_at)


@asynccontextmanager
async def serve_streams(
    settings: Settings | None = None, proxies: Sequence[Proxy] = ()
) -> AsyncIterator[Served]:
    apps: list[FastAPI] = []
    async with serve(router, prepare=apps.append, settings=settings, proxies=proxies) as served:
        apps[0].state.resources[TokenVerifier] = Verifier()
        yield served


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def build_ticket_request(path: object, token: str | None = "u1-prices_read") -> bytes:
    body = json.dumps({"path": path}).encode()
    headers = bearer(token) if token else {}
    return build_request("/auth/tickets", "POST", body=body, headers=headers)


async def issue(served: Served, path: str, token: str = "u1-prices_read") -> str:
    (reply,) = await served.send(build_ticket_request(path, token))
    assert reply.status == 200, reply.document
    ticket: str = reply.document["ticket"]
    return ticket


async def redeem(served: Served, target: str, **options: Any) -> Reply:
    (reply,) = await served.send(build_request(target, **options))
    return reply
