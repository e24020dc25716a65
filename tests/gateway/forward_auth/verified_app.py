"""A gateway with routes to verify, and the requests with which other gateways ask about them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, WebSocket
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from gateway.auth import Principal, owner, public, requires
from gateway.auth.verifier import TokenVerifier
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.proxy import Proxy
from gateway.ratelimit import RateLimit, limited
from gateway.settings.schema import Identity, Server, Service, Settings
from gateway.tickets import accept_ticket
from tests.gateway.auth.fake_verifier import FakeVerifier
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.routing.company_guards import ApiKey, KeyParameter

PROXY = "127.0.0.1"

USERS = RateLimit("users", "2/hour")
ADDRESSES = RateLimit("addresses", "2/hour", per="address")

router = APIRouter()


class Note(BaseModel):
    text: str


async def only_staff(connection: HTTPConnection) -> None:
    """Stand for a dependency of a company that decides about access."""


async def read_nothing() -> str:
    raise AssertionError("the endpoint was called")


_read = requires("stock:read")
READ: dict[str, Any] = {"dependencies": [_read]}

router.get("/stock/{name}", **READ)(read_nothing)
router.post("/stock/{name}", dependencies=[requires("stock:write")])(read_nothing)
router.get("/users/{user_id}/cart", dependencies=[_read, owner("user_id")])(read_nothing)
router.get("/counted", dependencies=[_read, limited(USERS)])(read_nothing)
router.get("/open", dependencies=[public("a test")])(read_nothing)
router.get("/open/counted", dependencies=[public("a test"), limited(ADDRESSES)])(read_nothing)
router.get("/stream", dependencies=[accept_ticket(), _read])(read_nothing)
router.get("/key", dependencies=[public("a key"), Depends(ApiKey("secret"))])(read_nothing)
router.get("/parameter", dependencies=[_read, Depends(KeyParameter())])(read_nothing)
router.get("/staff", dependencies=[_read, Depends(only_staff)])(read_nothing)
router.get("/files/{path:path}", **READ)(read_nothing)


@router.post("/notes", dependencies=[requires("notes:write")])
async def post_note(note: Note) -> str:
    raise AssertionError("the endpoint was called")


@router.websocket("/socket", dependencies=[_read])
async def open_socket(websocket: WebSocket) -> None:
    raise AssertionError("the endpoint was called")


PROXIES = (
    Proxy("/inventory/limited/{n}", to="inventory", requires="inventory:read", limit=USERS),
    Proxy("/inventory/stream/{n}", to="inventory", requires="inventory:read", tickets=True),
    Proxy("/inventory/forward/{n}", to="inventory", requires="inventory:read",
          identity="headers", forward_token=True, forward_cookies=True),
    Proxy("/inventory/public/{n}", to="inventory", public="a test"),
    Proxy("/inventory/{path:path}", to="inventory", requires="inventory:read"),
    Proxy("/shelves/{path:path}", to="inventory", requires="inventory:read", identity="headers"),
    Proxy("/silent/{path:path}", to="inventory", requires="inventory:read", identity="none",
          remove_headers=["X-Company-Role"]),
    Proxy("/projects/{name}", to="inventory", requires="inventory:read", encoded_slashes=True),
    Proxy("/matrix/{path:path}", to="inventory", requires="inventory:read", path_parameters=True),
)  # fmt: skip


class Verifier(FakeVerifier):
    """The tokens of `FakeVerifier`, with a tenant and a service that need an escape."""

    async def verify(self, token: str) -> Principal:
        """Read user and scopes from the text of the token."""
        found = await super().verify(token)
        return Principal(
            "https://login.test", found.subject, found.scopes, found.user_id, "shop, inc", "é", 4e9
        )


@asynccontextmanager
async def serve_verified(**server: Any) -> AsyncIterator[Served]:
    """Serve a gateway that trusts PROXY; `server` are further settings of the server."""
    apps: list[FastAPI] = []
    with TemporaryDirectory() as folder:
        key_file = Path(folder) / "signing.jwks"
        rotate_key_file(key_file, "ES256", 0)
        settings = Settings(
            server=Server(
                **{"trusted_proxies": (ip_network(PROXY),), "forward_auth": True, **server}
            ),
            upstreams={"inventory": Service(url="http://127.0.0.1:9")},
            identity=Identity(issuer="https://gateway.test", signing_key_file=key_file),
        )
        async with serve(router, prepare=apps.append, settings=settings, proxies=PROXIES) as served:
            apps[0].state.resources[TokenVerifier] = Verifier()
            yield served


Fields = Mapping[str, str]


def bearer(token: str | None) -> Fields:
    return {"Authorization": f"Bearer {token}"} if token else {}


def ask_as_nginx(method: str, uri: str, **fields: str) -> bytes:
    """Ask as nginx does with the configuration of its page: always with GET."""
    own = {"X-Original-Method": method, "X-Original-URI": uri}
    return build_request("/auth/verify", headers={**own, **_name(fields)})


def ask_as_ingress_nginx(method: str, uri: str, **fields: str) -> bytes:
    """Ask as ingress-nginx does (`auth-url`): with the URL of the request."""
    own = {"X-Original-Method": method, "X-Original-URL": f"https://shop.example.com{uri}"}
    return build_request("/auth/verify", headers={**own, **_name(fields)})


def ask_as_traefik(method: str, uri: str, **fields: str) -> bytes:
    """Ask as Traefik's ForwardAuth does.

    https://doc.traefik.io/traefik/middlewares/http/forwardauth/#forward-request-headers
    """
    own = {
        "X-Forwarded-Method": method,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example.com",
        "X-Forwarded-Uri": uri,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Server": "traefik",
        "X-Real-Ip": "203.0.113.7",
    }
    return build_request("/auth/verify", headers={**own, **_name(fields)})


def ask_as_caddy(method: str, uri: str, **fields: str) -> bytes:
    """Ask as Caddy does: the expanded form of `forward_auth`.

    https://caddyserver.com/docs/caddyfile/directives/forward_auth#expanded-form
    """
    own = {
        "X-Forwarded-Method": method,
        "X-Forwarded-Uri": uri,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example.com",
    }
    return build_request("/auth/verify", headers={**own, **_name(fields)})


def ask_as_envoy(method: str, uri: str, **fields: str) -> bytes:
    """Ask as Envoy does: `http_service` of `ext_authz` with `path_prefix: /auth/verify`.

    It sends the method, the path and the fields that `allowed_headers` names, and Content-Length 0.
    https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto
    """
    headers = {"Content-Length": "0", **_name(fields)}
    return build_request(f"/auth/verify{uri}", method, headers=headers)


ASK = {
    "nginx": ask_as_nginx,
    "ingress-nginx": ask_as_ingress_nginx,
    "traefik": ask_as_traefik,
    "caddy": ask_as_caddy,
    "envoy": ask_as_envoy,
}


def _name(fields: Mapping[str, str]) -> Fields:
    """Turn `X_Forwarded_For` into `X-Forwarded-For`; `token` becomes `Authorization`."""
    named = {name.replace("_", "-"): value for name, value in fields.items() if name != "token"}
    return {**named, **bearer(fields.get("token"))}


async def ask(served: Served, *requests: bytes) -> list[int]:
    """Send the requests, and return the statuses of the responses."""
    return [reply.status for reply in await served.send(*requests)]


async def ask_from(address: str, port: int, request: bytes) -> int:
    """Send a request from another address of this machine; return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(request)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
