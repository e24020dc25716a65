"""Fixtures: an app with two protected routes, a verifier with an issuer's keys, HTTP clients."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.auth import Caller, owner, requires
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.handlers import install_error_handlers
from gateway.resources import Resources
from gateway.settings.schema import Issuer, Tokens
from tests.gateway.auth.fake_verifier import FakeVerifier, LogFieldsRecorder
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, encode_jwk_set, get_signing_keys

ClientFactory = Callable[[TokenVerifier], httpx.AsyncClient]


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    """A JWKS file with a public key for every algorithm."""
    path = tmp_path / "jwks.json"
    path.write_bytes(encode_jwk_set(*(key.jwk() for key in get_signing_keys().values())))
    return path


@pytest.fixture
async def verifier(jwks_file: Path) -> AsyncIterator[TokenVerifier]:
    """A verifier for tokens signed with those keys; its cool-down is 1 ms."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    async with open_verifier([issuer], Tokens(keys_cooldown_seconds=0.001)) as verifier:
        yield verifier


@pytest.fixture
async def make_client() -> AsyncIterator[ClientFactory]:
    """Make clients of an app that uses the given verifier and has two protected routes."""
    clients: list[httpx.AsyncClient] = []

    def make(verifier: TokenVerifier) -> httpx.AsyncClient:
        clients.append(client_of(guarded_app(verifier)))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(make_client: ClientFactory, verifier: TokenVerifier) -> httpx.AsyncClient:
    """A client of the app; the issuer's keys are in the file."""
    return make_client(verifier)


def guarded_app(verifier: TokenVerifier) -> FastAPI:
    """Create an app with one route that requires a scope, and one that requires ownership too."""
    app = FastAPI()
    install_error_handlers(app)
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
    """Open a client that calls the app in process, without a socket."""
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", trust_env=False)


def bearer(token: str) -> dict[str, str]:
    """Build the `Authorization` header for the token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def fake_verifier() -> FakeVerifier:
    return FakeVerifier()


@pytest.fixture
def recorder(fake_verifier: FakeVerifier) -> LogFieldsRecorder:
    return LogFieldsRecorder(guarded_app(fake_verifier))


@pytest.fixture
async def recorded_client(recorder: LogFieldsRecorder) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(recorder) as client:
        yield client
