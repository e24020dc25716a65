"""A whole gateway on a real socket that issues tokens, with clients in its database."""

import base64
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from fastapi import APIRouter, FastAPI

from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.client_secret import hash_secret
from gateway.oauth.client_table import add_client, remove_client
from gateway.settings.schema import Identity, OAuthSettings, Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage, create_database
from tests.databases import create_file, wait_until
from tests.gateway.errors.served import LogRecords, Reply, Served, build_request, serve

GATEWAY = "https://gateway.test"
SECRET = "lgs_of-bff"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class OAuthGateway:
    """A gateway that is being served, the folder of its files, and its settings."""

    served: Served
    folder: Path
    settings: Settings
    app: FastAPI

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"

    @property
    def log(self) -> LogRecords:
        return self.served.log

    async def post(
        self,
        body: Mapping[str, str] | bytes,
        headers: Mapping[str, str] | None = None,
        path: str = "/oauth/token",
    ) -> Reply:
        """Send a form, byte for byte if it is bytes."""
        form = body if isinstance(body, bytes) else urlencode(body).encode()
        fields = {**FORM, **(headers or {})}
        (reply,) = await self.served.send(build_request(path, "POST", body=form, headers=fields))
        return reply

    async def add(self, client: OAuthClient) -> None:
        """Add a client as the command line does, and wait until the gateway knows it."""
        add_in(self.settings, client)
        registry: ClientRegistry = self.app.state.resources[ClientRegistry]
        await wait_until(lambda: registry.find(client.id) is not None)

    async def remove(self, client_id: str) -> None:
        """Remove a client as the command line does, and wait until the gateway knows it."""
        now = time.time()
        tokens = Revocation(RevocationKind.CLIENT, GATEWAY, client_id, now, now + 4_000)
        author = Author("jane", "a test")
        with closing(create_database(self.settings)) as database:
            database.write_now(partial(remove_client, tokens=tokens, author=author, now=now))
        registry: ClientRegistry = self.app.state.resources[ClientRegistry]
        await wait_until(lambda: registry.find(client_id) is None)

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.get(path)


def basic(client_id: str, secret: str) -> Mapping[str, str]:
    """Return the field of `client_secret_basic` (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def make_client(
    client_id: str = "bff",
    *secrets: str,
    scopes: Sequence[str] = ("orders:read", "users:read"),
    public_keys: Sequence[Mapping[str, str]] = (),
) -> OAuthClient:
    now = time.time()
    hashes = tuple(ClientSecret(hash_secret(secret), now) for secret in secrets)
    return OAuthClient(client_id, tuple(scopes), hashes, tuple(public_keys), now)


def add_in(settings: Settings, client: OAuthClient) -> None:
    """Add a client to the database of a gateway, as the command line does."""
    with closing(create_database(settings)) as database:
        database.write_now(partial(add_client, client=client, author=Author("jane", "a test")))


def make_settings(folder: Path, **settings: Any) -> Settings:
    """Return settings with all that OAuth needs, whose files are in `folder`."""
    key_file = folder / "signing.jwks"
    if not key_file.exists():
        rotate_key_file(key_file, "ES256", time.time() - 10_000)
    identity = Identity(issuer=GATEWAY, signing_key_file=key_file)
    if "database_url" not in settings:
        file = folder / "lockgate.db"  # another gateway may use it already
        settings["database_url"] = f"sqlite:///{file}" if file.exists() else create_file(folder)
    return Settings(**{"identity": identity, "oauth": OAuthSettings(), **settings})


@asynccontextmanager
async def serve_oauth(
    folder: Path, *clients: OAuthClient, routers: Sequence[APIRouter] = (), **settings: Any
) -> AsyncIterator[OAuthGateway]:
    """Serve a gateway with these clients, once it has read them."""
    made = make_settings(folder, **settings)
    for client in clients:
        add_in(made, client)
    apps: list[FastAPI] = []
    async with serve(*routers, prepare=apps.append, settings=made) as served:
        storage: Storage = apps[0].state.resources[Storage]
        await wait_until(lambda: storage.feed.is_loaded)
        yield OAuthGateway(served, folder, made, apps[0])
