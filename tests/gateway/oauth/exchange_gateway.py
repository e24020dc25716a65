"""A gateway on a socket with access rules, and the tokens of subjects, good ones and bad ones."""

import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
from fastapi import APIRouter, FastAPI

from gateway.access import MayExchange
from gateway.api_keys.api_key import ApiKey, generate_text, hash_text
from gateway.api_keys.key_table import add_key
from gateway.auth import Caller, requires
from gateway.auth.principal import Principal
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.identity.internal_tokens import InternalTokens
from gateway.oauth.form import REPEATABLE
from gateway.oauth.grants.token_exchange import ACCESS_TOKEN, GRANT_TYPE
from gateway.proxy import Proxy
from gateway.revocation.revoke import revoke
from gateway.settings.schema import Issuer, Service, StorageSettings
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage, create_database
from tests.databases import wait_until
from tests.gateway.auth.token_factory import encode_jwk_set, get_signing_key, make_token
from tests.gateway.errors.served import Reply, build_request, serve
from tests.gateway.oauth.oauth_gateway import (
    GATEWAY,
    SECRET,
    OAuthGateway,
    add_in,
    basic,
    make_client,
    make_settings,
)
from tests.gateway.transport.scripted_server import OK, Peer, serve_script

PROVIDER, OTHER = "https://id.example", "https://other.example"
AUDIENCE = "lockgate"
AUTHOR = Author("jane", "a test")
CLIENTS = ("bff", "relay", "courier", "removed", "batch", "cron", "alone")

RULES = (
    MayExchange("bff", services="stock", scopes="stock:read", on_behalf_of=PROVIDER),
    MayExchange(
        "bff",
        services="orders",
        scopes=["orders:read", "orders:write"],
        on_behalf_of=PROVIDER,
        requires="orders:delegate",
    ),
    MayExchange(
        "relay",
        services=["stock", "orders"],
        scopes=["stock:read", "orders:read"],
        on_behalf_of="*",
    ),
    MayExchange("courier", services="stock", scopes="stock:read", on_behalf_of=PROVIDER),
    MayExchange("removed", services="stock", scopes="stock:read", on_behalf_of=PROVIDER),
    MayExchange(
        "batch", services="*", scopes=["stock:read", "orders:read"], on_behalf_of="clients"
    ),
)
PROXIES = (
    Proxy("/stock/{path:path}", to="stock", requires="stock:read", tickets=True),
    Proxy("/orders/{path:path}", to="orders", requires="orders:read"),
    Proxy("/users/{path:path}", to="users", requires=()),
)

router = APIRouter()


@router.get("/page", dependencies=[requires("stock:read")])
async def get_page(caller: Caller) -> str:
    return caller.subject


@dataclass
class ExchangeGateway(OAuthGateway):
    """A gateway with clients that exchange tokens; `subjects` are tokens by their names."""

    subjects: dict[str, str] = field(default_factory=dict)

    async def exchange(
        self,
        client: str,
        token: str,
        *,
        audience: Sequence[str] = (),
        resource: Sequence[str] = (),
        **parameters: str,
    ) -> Reply:
        """Exchange a token; a parameter that is "" is left out."""
        form = {"subject_token": token, **parameters}
        pairs = [*form.items(), *(("audience", it) for it in audience)]
        return await self.send(client, pairs + [("resource", it) for it in resource])

    async def send(self, client: str, pairs: Sequence[tuple[str, str]]) -> Reply:
        """Send the parameters of an exchange; one that is "" is left out."""
        form = {"grant_type": GRANT_TYPE, "subject_token_type": ACCESS_TOKEN, **dict(pairs)}
        named = [(name, value) for name, value in form.items() if name not in REPEATABLE]
        named += [(name, value) for name, value in pairs if name in REPEATABLE]
        body = urlencode([(name, value) for name, value in named if value]).encode()
        return await self.post(body, basic(client, SECRET))

    async def get_token(self, client: str, token: str, *audience: str) -> str:
        """Exchange a token, and return the new one."""
        reply = await self.exchange(client, token, audience=audience)
        assert reply.status == 200, reply.document
        text: str = reply.document["access_token"]
        return text

    async def call(self, path: str, token: str) -> Reply:
        fields = {"Authorization": f"Bearer {token}"}
        (reply,) = await self.served.send(build_request(path, headers=fields))
        return reply

    async def revoke(self, kind: RevocationKind, issuer: str, value: str) -> None:
        """Revoke as the command line does, and wait until the gateway has read it."""
        now = time.time()
        before = 0.0 if kind is RevocationKind.TOKEN else now + 1
        revocation = Revocation(kind, issuer, value, before, now + 3_600)
        write(self, partial(revoke, revocation=revocation, author=AUTHOR))
        storage: Storage = self.app.state.resources[Storage]
        await storage.feed.refresh()


def write(gateway: OAuthGateway, change: Any) -> None:
    """Write to the database as another process does."""
    database: Database = create_database(gateway.settings)
    database.write_now(change)
    database.close()


def read_claims(token: str) -> dict[str, Any]:
    """Read the claims of a token without verifying it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def sign(issuer: str = PROVIDER, **changes: Any) -> str:
    """Sign an access token of alice, as her provider does; a change to `...` removes a claim."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "shop-app",
        "scope": "stock:read orders:read orders:write",
        "iat": now - 10,
        "exp": now + 300,
        "jti": f"{issuer}-{time.monotonic_ns()}",
        **changes,
    }
    key = get_signing_key("ES256", name=issuer)
    return make_token(claims, key=key)


async def make_subjects(gateway: ExchangeGateway) -> Mapping[str, str]:
    """Make each token that the tables name."""
    now = int(time.time())
    internal: InternalTokens = gateway.app.state.resources[InternalTokens]
    alice = Principal(
        PROVIDER, "alice", frozenset(["stock:read"]), "alice", None, None, now + 300.0
    )
    user = sign()
    form = {"grant_type": "client_credentials"}
    cron = (await gateway.post(form, basic("cron", SECRET))).document["access_token"]
    ticket = await gateway.served.send(
        build_request(
            "/auth/tickets",
            "POST",
            body=b'{"path": "/stock/1"}',
            headers={"Authorization": f"Bearer {user}"},
        )
    )
    api_key = generate_text()
    key = ApiKey("k1", "export", hash_text(api_key), ("stock:read",), now, now + 300.0)
    write(gateway, partial(add_key, key=key, author=AUTHOR))
    await gateway.revoke(RevocationKind.TOKEN, PROVIDER, "revoked")
    return {
        "user": user,
        "user who may delegate": sign(scope="stock:read orders:read orders:delegate"),
        "user without stock:read": sign(scope="orders:read"),
        "user without a scope": sign(scope=""),
        "user of another provider": sign(OTHER),
        "client cron": cron,
        "exchanged by bff for stock": await gateway.get_token("bff", user),
        "exchanged by relay": await gateway.get_token("relay", user),
        "exchanged by batch for all": await gateway.get_token("batch", cron),
        "expired": sign(exp=now - 60),
        "revoked": sign(jti="revoked"),
        "not for the gateway": sign(aud="another-api"),
        "for the client": sign(aud="bff"),
        "without an audience": sign(aud=...),
        "of an unknown issuer": sign("https://unknown.example"),
        "signed by another provider": make_token(
            read_claims(user), key=get_signing_key("ES256", name=OTHER)
        ),
        "internal token": internal.issue(alice, "stock", ["stock:read"]),
        "internal token for itself": internal.issue(alice, GATEWAY, ["stock:read"]),
        "API key": api_key,
        "ID token": sign(nonce="n"),
        "refresh token": sign(typ="Refresh"),
        "ticket": ticket[0].document["ticket"],
        "no token": "no token",
        "not ASCII": "ä.ö.ü",
        "too large": sign(padding="x" * 9_000),
        "bound to a key": sign(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    }


@asynccontextmanager
async def serve_exchanges(
    folder: Path, rules: Iterable[MayExchange] = RULES
) -> AsyncIterator[ExchangeGateway]:
    """Serve a gateway with two providers, its clients, and services that echo their token."""

    async def echo_token(peer: Peer) -> None:
        while True:
            head = (await peer.read_request()).decode()
            lines = [it for it in head.split("\r\n") if it.lower().startswith("authorization: ")]
            body = json.dumps([line.partition(" Bearer ")[2] for line in lines]).encode()
            peer.send(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def trust(issuer: str, user_claim: str) -> Issuer:
        file = folder / f"{issuer.rpartition('/')[2]}.jwks"
        file.write_bytes(encode_jwk_set(get_signing_key("ES256", name=issuer).jwk()))
        return Issuer(
            issuer=issuer,
            audience=AUDIENCE,
            jwks_file=file,
            user_claim=user_claim,
            id_tokens=True,
        )

    async with serve_script(echo_token) as upstream:
        service = Service.model_validate({"url": upstream.url})
        made = make_settings(
            folder,
            issuers=(trust(PROVIDER, "sub"), trust(OTHER, "")),
            upstreams={proxy.to: service for proxy in PROXIES},
            storage=StorageSettings(poll_seconds=0.05),
        )
        for client_id in CLIENTS:
            add_in(made, make_client(client_id, SECRET, scopes=["stock:read", "orders:read"]))
        apps: list[FastAPI] = []
        serving = serve(
            router, prepare=apps.append, settings=made, proxies=PROXIES, access=list(rules)
        )
        async with serving as served:
            storage: Storage = apps[0].state.resources[Storage]
            await wait_until(lambda: storage.feed.is_loaded)
            gateway = ExchangeGateway(served, folder, made, apps[0])
            gateway.subjects.update(await make_subjects(gateway))
            yield gateway
