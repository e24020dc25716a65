"""A gateway in the test's own process."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from fastapi import FastAPI

from gateway.app import create_app
from gateway.application import load_application
from gateway.demo.identity import AUDIENCE, ISSUER, DevelopmentIssuer
from gateway.demo.services import create_demo_services
from gateway.settings.loader import load_settings
from gateway.settings.schema import Issuer, Settings
from gateway.testing.scripted_service import ScriptedService


class TestGateway:
    """A gateway under test. `app` is the application, `http` an httpx client on it."""

    __test__ = False  # no test class, whatever pytest makes of its name

    def __init__(
        self, app: FastAPI, http: httpx.AsyncClient, scripts: Mapping[str, ScriptedService]
    ) -> None:
        self.app = app
        self.http = http
        self._scripts = scripts

    def service(self, name: str) -> ScriptedService:
        """The script of a downstream service."""
        return self._scripts[name]

    def token(self, user: str, scopes: Sequence[str], **claims: object) -> str:
        """A token this gateway takes."""
        return _issuer().issue_token(user, scopes=scopes, claims=claims)

    async def get(
        self, path: str, *, user: str | None = None, scopes: Sequence[str] = ()
    ) -> httpx.Response:
        """GET as that user with those scopes, or as nobody."""
        bearer = {"Authorization": f"Bearer {self.token(user, scopes)}"} if user else {}
        return await self.http.get(path, headers=bearer)


@asynccontextmanager
async def lockgate(settings: Settings | None = None) -> AsyncIterator[TestGateway]:
    """A running gateway with its own identity provider and five scripted services."""
    settings = settings or load_settings()
    application = load_application(settings.app.package)
    demo = create_demo_services(latency_ms=0)
    absent = httpx.MockTransport(lambda request: httpx.Response(404))
    scripts = {
        name: ScriptedService(httpx.ASGITransport(demo[name]) if name in demo else absent)
        for name in application.clients
    }
    with TemporaryDirectory() as folder:
        app = create_app(
            _trusting(settings, Path(folder)), application=application, transports=scripts
        )
        wire = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=wire, base_url="http://lockgate.test") as http,
        ):
            yield TestGateway(app, http, scripts)


def _trusting(settings: Settings, folder: Path) -> Settings:
    """The settings with the kit's identity provider for their only one."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(_issuer().export_jwks()))
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
    return settings.model_copy(update={"issuers": (issuer,)})


@cache
def _issuer() -> DevelopmentIssuer:
    """One for the whole run: making a key takes time."""
    return DevelopmentIssuer()
