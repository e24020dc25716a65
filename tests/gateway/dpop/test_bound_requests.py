"""Bound tokens wherever a caller is verified: forward-auth, services, WebSockets, tickets, CORS."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from fastapi import APIRouter
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import InvalidStatus

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import requires
from gateway.proxy import Proxy
from gateway.settings.schema import Server, Service
from gateway.tickets import accept_ticket
from tests.e2e.proxied_gateway import send
from tests.e2e.proxy_process import run_nginx
from tests.e2e.recording_service import ReceivedHead, record_requests
from tests.gateway.auth.token_factory import make_token
from tests.gateway.dpop.bound_app import (
    INVALID_PROOF,
    INVALID_TOKEN,
    NO_TOKEN,
    build_settings,
    get,
    router,
    serve_bound,
)
from tests.gateway.dpop.proofs import OTHER_KEY, make_bound_token, prove
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.forward_auth.verified_app import ASK
from tests.gateway.proxy.websocket.open_tunnel import echo

FORWARD_AUTH = Server(trusted_proxies=(ip_network("127.0.0.1"),), forward_auth=True)


@pytest.fixture(scope="module")
def token() -> str:
    return make_bound_token()


def rename(fields: Mapping[str, str]) -> dict[str, str]:
    """Return header fields with the names of keyword arguments."""
    return {name.replace("-", "_"): value for name, value in fields.items()}


@pytest.mark.parametrize("asking", ASK)
async def test_a_proof_is_for_the_request_that_another_gateway_serves(
    asking: str, token: str
) -> None:
    def ask(method: str, target: str, fields: Mapping[str, str]) -> bytes:
        return ASK[asking](method, target, **rename(fields))

    async with serve_bound(build_settings(server=FORWARD_AUTH)) as served:
        proven = ask("GET", "/orders?a=1", prove(token))
        posted = prove(token, "/notes", htm="POST")
        cases = [
            (proven, 200),
            (proven, 401),  # the second time
            (ask("POST", "/notes", posted), 200),
            (ask("HEAD", "/orders", prove(token, htm="HEAD")), 200),
            (ask("HEAD", "/orders", prove(token, htm="GET")), 401),
            (ask("GET", "/free", prove(token, "/free")), 200),
            (ask("GET", "/orders", prove(token, "/free")), 401),
            (ask("GET", "/orders", prove(token, "/auth/verify")), 401),
            (ask("GET", "/orders", prove(token, key=OTHER_KEY)), 401),
            (ask("GET", "/orders", {"Authorization": f"Bearer {token}"}), 401),
            (ask("GET", "/free", {"Authorization": f"Bearer {token}"}), 401),
            (ask("GET", "/free", {"Authorization": f"Bearer {make_token()}"}), 200),
            (ask("GET", "/orders", {}), 401),
        ]
        replies = [(await served.send(request))[0] for request, _ in cases]
    assert [reply.status for reply in replies] == [status for _, status in cases]
    assert replies[1].header("www-authenticate") == [INVALID_PROOF]
    assert replies[9].header("www-authenticate") == [INVALID_TOKEN]
    assert replies[12].header("www-authenticate") == [NO_TOKEN]


async def test_the_path_of_the_other_gateway_is_that_of_the_proof(token: str) -> None:
    server = FORWARD_AUTH.model_copy(update={"root_path": "/api"})
    async with serve_bound(build_settings(server=server)) as served:
        for path in ("/api/orders", "/orders"):
            (reply,) = await served.send(ASK["nginx"]("GET", path, **rename(prove(token, path))))
            assert reply.status == 200, path


NGINX = """
server {
    listen 127.0.0.1:PORT0;
    location / {
        auth_request /_verify;
        proxy_pass http://127.0.0.1:SERVICE;
        proxy_set_header Authorization "";
        proxy_set_header DPoP "";
    }
    location = /_verify {
        internal;
        proxy_pass http://127.0.0.1:GATEWAY/auth/verify;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-URI $request_uri;
    }
}
"""


async def test_nginx_serves_a_request_with_its_proof_once(token: str, tmp_path: Path) -> None:
    settings = build_settings(server=FORWARD_AUTH)
    async with serve_bound(settings) as served, record_requests() as service:
        text = NGINX.replace("GATEWAY", str(served.port)).replace("SERVICE", str(service.port))
        with run_nginx(tmp_path, text) as nginx:
            proven = prove(token)
            statuses = []
            for fields in (proven, proven, {"Authorization": f"Bearer {token}"}):
                request = build_request("/orders", headers={**fields, "Connection": "close"})
                statuses.append((await send(nginx.ports[0], request)).split(b" ")[1])
    assert statuses == [b"200", b"401", b"401"]
    [received] = service.received
    assert not {"dpop", "authorization"} & {name.lower() for name, _ in received.fields}


PROXIES = (
    Proxy("/bound/{path:path}", to="service", requires=(), dpop=True, identity="none",
          websocket=True),
    Proxy("/forwarded/{path:path}", to="service", requires=(), identity="none",
          forward_token=True),
)  # fmt: skip


def find_credentials(head: ReceivedHead) -> dict[str, str]:
    fields = {name.lower(): value for name, value in head.fields}
    return {name: fields[name] for name in ("authorization", "dpop") if name in fields}


@asynccontextmanager
async def serve_proxied(port: int) -> AsyncIterator[Served]:
    service = Service.model_validate({"url": f"http://127.0.0.1:{port}"})
    settings = build_settings(upstreams={"service": service})
    async with serve(settings=settings, proxies=PROXIES) as served:
        yield served


async def test_a_service_gets_no_proof_unless_the_route_forwards_the_token(token: str) -> None:
    async with record_requests() as service, serve_proxied(service.port) as served:
        for path in ("/bound/a", "/forwarded/a"):
            headers = prove(token, path)
            assert (await get(served, headers, path)).status == 200
            assert (await get(served, headers, path)).status == 401
            assert (await get(served, {"Authorization": f"Bearer {token}"}, path)).status == 401
    bound, forwarded = service.received
    assert find_credentials(bound) == {}
    assert find_credentials(forwarded) == {
        "authorization": f"DPoP {token}",
        "dpop": headers["DPoP"],
    }


async def test_a_websocket_is_opened_with_a_proof_once(token: str) -> None:
    seen: list[set[str]] = []

    async def record(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append({name.lower() for name in connection.request.headers})
        await echo(connection)

    async with serve_websockets(record, "127.0.0.1", 0) as service:
        port = next(iter(service.sockets)).getsockname()[1]
        async with serve_proxied(port) as served:
            url = f"ws://127.0.0.1:{served.port}/bound/chat?room=1"
            headers = prove(token, "/bound/chat")
            async with connect(url, proxy=None, additional_headers=headers) as client:
                await client.send("hello")
                assert await client.recv() == "hello"
            wrong: tuple[dict[str, str], ...] = (
                headers,
                {"Authorization": f"Bearer {token}"},
                {"Authorization": f"DPoP {token}"},
                prove(token, "/bound/chat", htu="wss://api.example.test/bound/chat"),
                {},
            )
            for fields in wrong:
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, proxy=None, additional_headers=fields)
                assert refused.value.response.status_code == 401
    assert len(seen) == 1
    assert not {"dpop", "authorization"} & seen[0]


async def test_a_ticket_is_issued_for_a_proof(token: str) -> None:
    tickets = APIRouter()

    @tickets.get("/stream", dependencies=[accept_ticket(), requires()])
    async def get_stream() -> str:
        return "streamed"

    body = b'{"path":"/stream"}'

    def ask(headers: Mapping[str, str]) -> bytes:
        return build_request("/auth/tickets", "POST", body=body, headers=headers)

    async with serve(tickets, settings=build_settings()) as served:
        proven = ask(prove(token, "/auth/tickets", htm="POST"))
        issued, again = await served.send(proven, proven)
        assert (issued.status, again.status) == (200, 401)
        (refused,) = await served.send(ask({"Authorization": f"Bearer {token}"}))
        assert (refused.status, refused.header("www-authenticate")) == (401, [INVALID_TOKEN])
        ticket = issued.document["ticket"]
        assert (await get(served, {}, f"/stream?ticket={ticket}")).document == "streamed"


@pytest.mark.parametrize("asks", [True, False])
async def test_a_page_of_another_origin_may_send_proofs_where_a_route_asks(asks: bool) -> None:
    pages = APIRouter()

    @pages.get("/page", dependencies=[requires(dpop=asks)])
    async def get_page() -> None:
        """Do nothing."""

    server = Server(cors_origins=("https://app.example.test",))
    preflight = {
        "Origin": "https://app.example.test",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,dpop",
    }
    async with serve(pages, settings=build_settings(server=server)) as served:
        reply = await get(served, preflight, "/page", "OPTIONS")
        [allowed] = reply.header("access-control-allow-headers")
        assert ("dpop" in allowed.split(", ")) == asks
        refused = await get(served, {"Origin": "https://app.example.test"}, "/page")
        [exposed] = refused.header("access-control-expose-headers")
        assert "www-authenticate" in exposed


def test_openapi_documents_the_scheme() -> None:
    application = Application(clients={}, policies={}, routers=[router])
    document = create_app(build_settings(), application=application).openapi()
    assert document["components"]["securitySchemes"]["dpop"]["scheme"] == "DPoP"
    operation = document["paths"]["/orders"]["get"]
    assert operation["security"] == [{"dpop": ["dashboard:read"]}]
    assert {"401", "403", "503"} <= operation["responses"].keys()
