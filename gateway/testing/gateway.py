"""A gateway that runs in the test's own process."""

import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypedDict, Unpack

import httpx
from fastapi import FastAPI
from pydantic_core import to_json
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.app_loader import Application, load_application
from gateway.auth.proof_verifier import ProofVerifier
from gateway.dpop.assumed_proof import AssumedProof, find_scheme
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.fakes.load_fakes import load_fakes
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.proxy.declaration.identity_errors import find_missing_key_errors
from gateway.settings.loader import load_settings
from gateway.settings.schema import Identity, Issuer, Service, Settings
from gateway.testing.scripted_service import ScriptedService
from gateway.testing.undeclared_problems import UndeclaredProblem, record_undeclared_problems
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.query import Params, encode_query

_HOST: Final = "lockgate.test"
_URL: Final = f"https://{_HOST}"
_CLAIM_NAMES: Final = ("scope_claim", "user_claim", "service_claim", "tenant_claim")


BOUND: Final[Mapping[str, object]] = {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
"""The claims of a token that is bound to a key (RFC 9449)."""


class RequestOptions(TypedDict, total=False):
    """The options of a request without a body; see `TestGateway.request`."""

    user: str | None
    scopes: Sequence[str]
    claims: Mapping[str, object] | None
    params: Params | None
    headers: Mapping[str, str] | None


class BodyOptions(RequestOptions, total=False):
    """The options of a request with a body; see `TestGateway.request`."""

    json: object
    content: bytes | None


class TestGateway:
    """A running gateway. `app` is its ASGI app, `http` an httpx client connected to it.

    `services` has the scripted service for each client and proxied route of the package, by name.
    """

    __test__ = False  # pytest would collect it because of its name

    def __init__(
        self,
        app: FastAPI,
        http: httpx.AsyncClient,
        services: Mapping[str, ScriptedService],
        issuer: Issuer,
        undeclared: list[UndeclaredProblem],
    ) -> None:
        self.app = app
        self.http = http
        self.services = services
        self._issuer = issuer
        self._undeclared = undeclared

    def service(self, name: str) -> ScriptedService:
        """Return the scripted service of that name.

        Raises:
            LookupError: the package has no client and no proxied route to that service.
        """
        if name not in self.services:
            known = ", ".join(self.services) or "none"
            raise LookupError(f"there is no service {name!r}; services of the package: {known}")
        return self.services[name]

    def token(self, user: str, scopes: Sequence[str], **claims: object) -> str:
        """Sign a token that this gateway accepts. `claims` are added to the standard ones."""
        return self._issue_token(user, scopes, claims)

    async def request(  # noqa: PLR0913 - one keyword per part of a request
        self,
        method: str,
        path: str,
        *,
        user: str | None = None,
        scopes: Sequence[str] = (),
        claims: Mapping[str, object] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a request with a token for that user and those scopes, or without a token.

        `claims` are added to the token, and override its standard claims. Without a `user`, they
        must have `sub`: such a token belongs to a service. With `cnf` as in `BOUND`, the token is
        bound to a key, and the request counts as one with a DPoP proof. `params`, `json` and
        `content` are as in a typed client.

        Raises:
            UnexpectedRequest: a service received a request that no script matches.
            UndeclaredProblem: the route passed on a problem that it does not declare (`raises`).
        """
        fields = dict(headers or {})
        if user is not None or claims is not None:
            token = self._issue_token(user, scopes, claims or {})
            fields["Authorization"] = f"{find_scheme(token)} {token}"
        if json is not None:
            content = to_json(json)
            fields.setdefault("Content-Type", "application/json")
        query = encode_query(params)
        target = path + (query.replace("?", "&", 1) if "?" in path else query)
        response = await self.http.request(method, target, headers=fields, content=content)
        self.raise_unexpected()
        return response

    async def get(self, path: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        """Send a GET; see `request` for the options."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Unpack[BodyOptions]) -> httpx.Response:
        """Send a POST; see `request` for the options."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Unpack[BodyOptions]) -> httpx.Response:
        """Send a PUT; see `request` for the options."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Unpack[BodyOptions]) -> httpx.Response:
        """Send a PATCH; see `request` for the options."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        """Send a DELETE; see `request` for the options."""
        return await self.request("DELETE", path, **options)

    def raise_unexpected(self) -> None:
        """Raise the first error that was found since the last time.

        Without this, the test would only see that a part is degraded or that the status is 500, or
        not notice that a problem is missing in OpenAPI.
        """
        found: list[AssertionError] = [*self._undeclared]
        self._undeclared.clear()
        for service in self.services.values():
            found += service.unexpected
            service.unexpected.clear()
        if found:
            raise found[0]

    def _issue_token(
        self, user: str | None, scopes: Sequence[str], claims: Mapping[str, object]
    ) -> str:
        """Sign a token whose claims have the names that the settings of the issuer say."""
        names = self._issuer
        if user is None and "sub" not in claims:
            raise ValueError("name a user, or the subject in claims, as in claims={'sub': ...}")
        claim = names.scope_claim
        own: dict[str, object] = {claim if isinstance(claim, str) else claim[0]: " ".join(scopes)}
        if user is not None and names.user_claim:
            own[names.user_claim] = user
        return _get_signer().issue_token(user or "", scopes=scopes, claims={**own, **claims})


@asynccontextmanager
async def lockgate(
    settings: Settings | None = None, *, application: Application | None = None
) -> AsyncIterator[TestGateway]:
    """Run a gateway with its own identity provider and a scripted service for every client.

    Without `settings`, they are loaded from the files and the environment, as `lockgate serve`
    does. Without an `application`, the clients and composites are those of `app.package`. The
    names of the claims of a token are those of the first issuer in the settings that has users.

    Raises:
        UnexpectedRequest: at the end, if a service received a request that no script matches.
        UndeclaredProblem: at the end, if a route passed on a problem that it does not declare.
    """
    settings = settings or load_settings()
    application = application or load_application(settings.app)
    fakes = load_fakes(application.package) if application.package else {}
    proxied = (proxy.to for proxy in application.proxies)
    services = _create_services(dict.fromkeys([*application.clients, *proxied]), fakes)
    _place_services(services, settings.upstreams)
    with TemporaryDirectory() as folder:
        settings = _trust_test_issuer(settings, Path(folder))
        settings = _allow_test_host(_provide_signing_key(settings, application, Path(folder)))
        settings = _provide_issuer(settings)
        app = create_app(settings, application=application, transports=services)
        undeclared = record_undeclared_problems(app)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=f"http://{_HOST}") as http,
        ):
            app.state.resources[ProofVerifier] = AssumedProof()
            gateway = TestGateway(app, http, services, settings.issuers[0], undeclared)
            yield gateway
            gateway.raise_unexpected()


def _create_services(
    names: Iterable[str], fakes: Mapping[str, ASGIApp]
) -> dict[str, ScriptedService]:
    not_found = httpx.MockTransport(lambda request: httpx.Response(404))
    return {
        name: ScriptedService(httpx.ASGITransport(fakes[name]) if name in fakes else not_found)
        for name in names
    }


def _place_services(
    services: Mapping[str, ScriptedService], upstreams: Mapping[str, Service]
) -> None:
    """Set the name of each service, and the base path of its address."""
    for name, service in services.items():
        service.name = name
        if name in upstreams:
            service.base_path = BaseUrl.of(str(upstreams[name].url)).path


def _trust_test_issuer(settings: Settings, folder: Path) -> Settings:
    """Replace the issuers with the test kit's own; `folder` receives its key file."""
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(_get_signer().export_jwks()))
    issuer = Issuer(
        issuer=ISSUER, audience=AUDIENCE, jwks_file=keys, **_get_claim_names(settings.issuers)
    )
    return settings.model_copy(update={"issuers": (issuer,)})


def _provide_signing_key(settings: Settings, application: Application, folder: Path) -> Settings:
    """Let the gateway sign internal tokens if it has to, with a key file in `folder`.

    A key file of the settings is kept if it exists on this machine.
    """
    identity = settings.identity
    file = identity.signing_key_file or identity.key_file
    if file is None:
        is_ready = not find_missing_key_errors(settings, application.proxies)
    else:
        is_ready = file.exists()
    if is_ready:
        return settings
    path = folder / "signing.jwks"
    rotate_key_file(path, "ES256", time.time())
    own = Identity(issuer=identity.issuer or _URL, signing_key_file=path)
    return settings.model_copy(update={"identity": own})


def _provide_issuer(settings: Settings) -> Settings:
    """Set the URL of the gateway, which routes that ask for DPoP need."""
    if settings.identity.issuer is not None:
        return settings
    return settings.model_copy(update={"identity": Identity(issuer=_URL)})


def _allow_test_host(settings: Settings) -> Settings:
    """Add the host of the test client to those that are served, unless all are."""
    if not settings.server.allowed_hosts:
        return settings
    hosts = (*settings.server.allowed_hosts, _HOST)
    server = settings.server.model_copy(update={"allowed_hosts": hosts})
    return settings.model_copy(update={"server": server})


def _get_claim_names(issuers: Sequence[Issuer]) -> dict[str, Any]:
    """Return the names of the claims of the first issuer that has users."""
    for issuer in sorted(issuers, key=lambda issuer: not issuer.user_claim)[:1]:
        return {name: getattr(issuer, name) for name in _CLAIM_NAMES}
    return {}


@cache
def _get_signer() -> DevelopmentIssuer:
    """Create one issuer for the whole test run, because generating a key is slow."""
    return DevelopmentIssuer()
