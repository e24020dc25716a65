"""A gateway on a socket with proxied routes, and tokens as it issues them, made with PyJWT."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import jwt
from fastapi import APIRouter, FastAPI

from gateway.auth import Caller, requires
from gateway.auth.revocation_index import Revocation
from gateway.oauth.client_table import ClientExists
from gateway.proxy import Proxy
from gateway.revocation.revoke import revoke
from gateway.settings.schema import Issuer, Server, Service, StorageSettings, Tokens
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage, create_database
from gateway.tickets import accept_ticket
from tests.databases import wait_until
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_token,
)
from tests.gateway.errors.served import Reply, build_request, serve
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    add_in,
    make_client,
    make_settings,
)
from tests.gateway.proxy.test_stream_end import CHUNK, EVENTS
from tests.gateway.transport.scripted_server import HELLO, Peer, serve_script

INTERNAL_TYPE, ACCESS_TYPE = "lockgate-internal+jwt", "at+jwt"

router = APIRouter()


@router.get("/caller", dependencies=[requires("orders:read")])
async def get_caller(caller: Caller) -> dict[str, Any]:
    return {
        "issuer": caller.issuer,
        "subject": caller.subject,
        "user_id": caller.user_id,
        "service": caller.service,
        "token_issuer": caller.token_issuer,
        "actors": [list(it) for it in caller.actors],
    }


@router.get("/stream", dependencies=[accept_ticket(), requires("orders:read")])
async def get_stream() -> str:
    return "a stream"


PROXIES = (
    Proxy("/inventory/{path:path}", to="inventory", requires="orders:read"),
    Proxy("/billing/{path:path}", to="billing", requires="orders:read", identity="headers"),
)


@dataclass
class Signer:
    """Signs with the key file of a gateway, as PyJWT does."""

    gateway: OAuthGateway

    def sign(
        self,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        *,
        key: Any = None,
    ) -> str:
        """Sign a valid access token of the client bff, with changes.

        A change to `...` removes a claim; a `timedelta` stands for a time that far from now.
        """
        now = int(time.time())
        members: dict[str, Any] = {
            "iss": GATEWAY,
            "aud": GATEWAY,
            "sub": "bff",
            "client_id": "bff",
            "scope": "orders:read",
            "iat": now,
            "exp": now + 600,
            "jti": "g1",
            **(claims or {}),
        }
        keys = json.loads((self.gateway.folder / "signing.jwks").read_text())["keys"]
        private = jwt.PyJWK(keys[-1])
        for name, value in members.items():
            if isinstance(value, timedelta):
                members[name] = now + int(value.total_seconds())
        return jwt.encode(
            {name: value for name, value in members.items() if value is not ...},
            private.key if key is None else key,
            algorithm="ES256",
            headers={"typ": ACCESS_TYPE, "kid": keys[-1]["kid"], **(header or {})},
        )

    def exchange(self, **claims: Any) -> str:
        """Sign a token that bff got in exchange for the token t1 of the user 42 of a provider."""
        now = int(time.time())
        return self.sign(
            {
                "sub": f"{ISSUER}#42",
                "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "42"},
                "user_id": "42",
                "act": {"iss": GATEWAY, "sub": "bff", "act": {"iss": ISSUER, "sub": "app"}},
                "origin": [{"iss": ISSUER, "jti": "t1", "iat": now - 60}],
                **claims,
            }
        )


def make_provider_token(**claims: Any) -> str:
    """Make a token of the provider of the settings."""
    return make_token({"scope": "orders:read", **claims})


async def get(gateway: OAuthGateway, token: str, path: str = "/caller", **headers: str) -> Reply:
    fields = {"Authorization": f"Bearer {token}", **headers}
    (reply,) = await gateway.served.send(build_request(path, headers=fields))
    return reply


def find_reason(gateway: OAuthGateway) -> tuple[object, object]:
    """Return why the last request was refused, as the access log says."""
    line = gateway.log.completed[-1]
    return line.get("reason"), line.get("explanation")


async def revoke_in(gateway: OAuthGateway, revocation: Revocation) -> None:
    """Revoke as the command line does, and wait until the gateway has read it."""
    author = Author("jane", "a test")
    with closing(create_database(gateway.settings)) as database:
        database.write_now(partial(revoke, revocation=revocation, author=author))
    storage: Storage = gateway.app.state.resources[Storage]
    await storage.feed.refresh()


@asynccontextmanager
async def serve_own_tokens(folder: Path, **settings: Any) -> AsyncIterator[OAuthGateway]:
    """Serve a gateway with the client bff, a provider, proxied routes, and services behind them."""

    async def script(peer: Peer) -> None:
        while b"/events " not in await peer.read_request():
            peer.send(HELLO)
        peer.send(EVENTS)
        peer.send(CHUNK)
        await peer.wait_closed()

    jwks_file = folder / "provider.jwks"
    jwks_file.write_bytes(encode_jwk_set(get_signing_key("RS256").jwk()))
    provider = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    async with serve_script(script) as upstream:
        service = Service.model_validate({"url": upstream.url})
        made = make_settings(
            folder,
            issuers=settings.pop("issuers", (provider,)),
            upstreams={"inventory": service, "billing": service},
            server=Server(forward_auth=True, trusted_proxies=(ip_network("127.0.0.1/32"),)),
            storage=StorageSettings(poll_seconds=0.05),
            tokens=Tokens(keys_cooldown_seconds=0.001),
            **settings,
        )
        for client_id in ("bff", "cart", "inventory"):
            with suppress(ClientExists):  # the folder may have been served before
                add_in(made, make_client(client_id, SECRET))
        apps: list[FastAPI] = []
        serving = serve(router, prepare=apps.append, settings=made, proxies=PROXIES)
        async with serving as served:
            storage: Storage = apps[0].state.resources[Storage]
            await wait_until(lambda: storage.feed.is_loaded)
            yield OAuthGateway(served, folder, made, apps[0])
