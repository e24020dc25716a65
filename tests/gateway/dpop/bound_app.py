"""A gateway whose routes take bound tokens, on a real socket."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from gateway.auth import Caller, owner, requires
from gateway.proxy import Proxy
from gateway.settings.schema import Identity, Issuer, Server, Settings
from gateway.upstream.propagation import current_headers
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, encode_jwk_set, get_signing_keys
from tests.gateway.dpop.proofs import ORIGIN
from tests.gateway.errors.served import Reply, Served, build_request, serve

ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"
INVALID_PROOF = f'DPoP realm="lockgate", error="invalid_dpop_proof", algs="{ALGORITHMS}"'
INVALID_TOKEN = f'DPoP realm="lockgate", error="invalid_token", algs="{ALGORITHMS}"'
NO_TOKEN = f'DPoP realm="lockgate", algs="{ALGORITHMS}"'

free_router = APIRouter()
"""Routes that do not ask for a bound token."""

router = APIRouter()


class Note(BaseModel):
    text: str


class Answer(BaseModel):
    caller: str
    key: str | None


_bound = requires("dashboard:read", dpop=True)
_free = requires("dashboard:read")


@router.get("/orders", dependencies=[_bound])
async def get_orders(caller: Caller) -> Answer:
    return Answer(caller=caller.subject, key=caller.key_thumbprint)


@router.get("/general/orders", dependencies=[_bound])
def get_general(caller: Caller) -> Answer:
    """Serve a route that is not compiled, because its function is not a coroutine."""
    return Answer(caller=caller.subject, key=caller.key_thumbprint)


@router.post("/notes", dependencies=[_bound])
async def post_note(note: Note) -> str:
    return note.text


@router.get("/users/{user_id}", dependencies=[_bound, owner("user_id")])
async def get_user(user_id: str) -> str:
    return user_id


@free_router.get("/free", dependencies=[_free])
async def get_free(caller: Caller) -> Answer:
    return Answer(caller=caller.subject, key=caller.key_thumbprint)


@free_router.get("/free/general", dependencies=[_free])
def get_free_general(caller: Caller) -> Answer:
    return Answer(caller=caller.subject, key=caller.key_thumbprint)


@free_router.get("/forwarded", dependencies=[_free])
async def get_forwarded() -> bool:
    """Return whether calls to services would have the token of the caller."""
    return current_headers().token is not None


@router.get("/items/{name:path}", dependencies=[_free])
async def get_item(name: str) -> str:
    return name


@cache
def list_issuers() -> tuple[Issuer, ...]:
    """Return an issuer with a key for each algorithm."""
    path = Path(mkdtemp(prefix="lockgate-jwks-")) / "jwks.json"
    path.write_bytes(encode_jwk_set(*(key.jwk() for key in get_signing_keys().values())))
    return (Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=path, user_claim="sub"),)


def build_settings(origin: str | None = ORIGIN, **changes: Any) -> Settings:
    """Return settings with that issuer; `origin` is the URL of the gateway."""
    values = {"issuers": list_issuers(), "identity": Identity(issuer=origin), **changes}
    return Settings(**values)


@asynccontextmanager
async def serve_bound(
    settings: Settings | None = None, proxies: Sequence[Proxy] = (), **server: Any
) -> AsyncIterator[Served]:
    settings = settings or build_settings()
    if server:
        settings = settings.model_copy(update={"server": Server(**server)})
    async with serve(router, free_router, settings=settings, proxies=proxies) as served:
        yield served


async def get(
    served: Served, headers: Mapping[str, str], target: str = "/orders", method: str = "GET"
) -> Reply:
    (reply,) = await served.send(build_request(target, method, headers=headers))
    return reply


async def find_reason(served: Served) -> object:
    """Return the reason of the last refusal in the log."""
    await served.settle(1)
    return served.log.completed[-1].get("reason")
