"""A gateway with one guarded route, the keys of an issuer behind it, and a client in front."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.auth import Caller, owner, requires
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors import problem_json
from gateway.resources import Resources
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth.minting import AUDIENCE, ISSUER, all_keys, jwk_set

Gateway = Callable[[TokenVerifier], httpx.AsyncClient]


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    """A file with a public key for every algorithm."""
    path = tmp_path / "jwks.json"
    path.write_bytes(jwk_set(*(key.jwk() for key in all_keys().values())))
    return path


@pytest.fixture
async def verifier(jwks_file: Path) -> AsyncIterator[TokenVerifier]:
    """A verifier of tokens signed with those keys, with hardly any cool-down."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    async with open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier:
        yield verifier


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """Makes a client of an app that has `verifier` and two guarded routes."""
    clients: list[httpx.AsyncClient] = []

    def make(verifier: TokenVerifier) -> httpx.AsyncClient:
        clients.append(client_of(guarded_app(verifier)))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(gateway: Gateway, verifier: TokenVerifier) -> httpx.AsyncClient:
    """A client of the app whose issuer's keys are in the file."""
    return gateway(verifier)


def guarded_app(verifier: TokenVerifier) -> FastAPI:
    """An app that asks for a scope on one route, and for ownership too on the other."""
    app = FastAPI()
    problem_json.install(app)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = verifier

    @app.get("/me", dependencies=[requires("dashboard:read")])
    async def get_me(caller: Caller) -> dict[str, str]:
        return {"subject": caller.subject}

    @app.get("/users/{user_id}", dependencies=[requires("dashboard:read"), owner("user_id")])
    async def get_user(user_id: str) -> dict[str, str]:
        return {"user_id": user_id}

    return app


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    """A client that talks to the app without a socket."""
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", trust_env=False)


def bearer(token: str) -> dict[str, str]:
    """The header that carries the token."""
    return {"Authorization": f"Bearer {token}"}
