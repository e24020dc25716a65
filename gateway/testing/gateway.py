"""A gateway that runs in the test's own process."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.app_loader import load_application
from gateway.fakes.identity_provider import AUDIENCE, ISSUER, DevelopmentIssuer
from gateway.fakes.load_fakes import load_fakes
from gateway.settings.loader import load_settings
from gateway.settings.schema import Issuer, Settings
from gateway.testing.scripted_service import ScriptedService


class TestGateway:
    """A running gateway. `app` is its ASGI app, `http` an httpx client connected to it.

    `services` has the scripted service for each client of the package, by name.
    """

    __test__ = False  # pytest would collect it because of its name

    def __init__(
        self, app: FastAPI, http: httpx.AsyncClient, services: Mapping[str, ScriptedService]
    ) -> None:
        self.app = app
        self.http = http
        self.services = services

    def service(self, name: str) -> ScriptedService:
        """Return the scripted service of that name.

        Raises:
            KeyError: the package has no client with that name.
        """
        return self.services[name]

    def token(self, user: str, scopes: Sequence[str], **claims: object) -> str:
        """Sign a token that this gateway accepts. `claims` are added to the standard ones."""
        return _get_issuer().issue_token(user, scopes=scopes, claims=claims)

    async def get(
        self, path: str, *, user: str | None = None, scopes: Sequence[str] = ()
    ) -> httpx.Response:
        """Send a GET with a token for that user and those scopes, or without a token."""
        headers = {"Authorization": f"Bearer {self.token(user, scopes)}"} if user else {}
        return await self.http.get(path, headers=headers)


@asynccontextmanager
async def lockgate(settings: Settings | None = None) -> AsyncIterator[TestGateway]:
    """Run a gateway with its own identity provider and a scripted service for every client.

    The clients and composites are those of `app.package`. Without `settings`, they are loaded
    from the files and the environment, as `lockgate serve` does.
    """
    settings = settings or load_settings()
    application = load_application(settings.app)
    fakes = load_fakes(application.package) if application.package else {}
    services = _create_services(application.clients, fakes)
    with TemporaryDirectory() as folder:
        app = create_app(
            _trust_test_issuer(settings, Path(folder)),
            application=application,
            transports=services,
        )
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://lockgate.test") as http,
        ):
            yield TestGateway(app, http, services)


def _create_services(
    names: Iterable[str], fakes: Mapping[str, ASGIApp]
) -> dict[str, ScriptedService]:
    not_found = httpx.MockTransport(lambda request: httpx.Response(404))
    return {
        name: ScriptedService(httpx.ASGITransport(fakes[name]) if name in fakes else not_found)
        for name in names
    }


def _trust_test_issuer(settings: Settings, folder: Path) -> Settings:
    """Replace the issuers with the test kit's own; `folder` receives its key file."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(_get_issuer().export_jwks()))
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
    return settings.model_copy(update={"issuers": (issuer,)})


@cache
def _get_issuer() -> DevelopmentIssuer:
    """Create one issuer for the whole test run, because generating a key is slow."""
    return DevelopmentIssuer()
