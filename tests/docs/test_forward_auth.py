"""The configurations of docs/how-to/forward-auth, run by nginx and Caddy themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from jose import jwt

from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.e2e.long_exchanges import SHORT_DEFAULTS, LongExchanges, exchange_all
from tests.e2e.proxied_gateway import send
from tests.e2e.proxy_process import Proxy, run_caddy, run_nginx
from tests.e2e.recording_service import RecordingService, record_requests
from tests.gateway.errors.served import Served
from tests.gateway.forward_auth.verified_app import PROXY, serve_verified
from tests.gateway.middleware.path_spellings import write_invalid, write_similar
from tests.gateway.tickets.stream_app import issue
from tests.redis_server import find_free_port

PAGES = ROOT / "docs" / "how-to" / "forward-auth"
READ = "u1-inventory_read"

Run = Callable[[Path, str], AbstractContextManager[Proxy]]


@dataclass(frozen=True)
class Case:
    """A page, how its configuration is run, and what is replaced in it."""

    page: str
    run: Run
    changes: tuple[tuple[str, str], ...]

    def read(self) -> str:
        (block,) = parse_blocks(PAGES / f"{self.page}.md")
        text = block.text
        for old, new in self.changes:
            assert old in text
            text = text.replace(old, new)
        return text


NGINX = Case(
    "nginx",
    run_nginx,
    (
        ("listen 443 ssl;", "listen 127.0.0.1:PORT0;"),
        ("    ssl_certificate /etc/ssl/api.pem;\n", ""),
        ("    ssl_certificate_key /etc/ssl/api.pem;\n", ""),
    ),
)
CADDY = Case("caddy", run_caddy, (("api.example.com {", "http://:PORT0 {"),))
CASES = pytest.mark.parametrize("case", [NGINX, CADDY], ids=["nginx", "caddy"])


@dataclass(frozen=True)
class Running:
    """A gateway in front, the gateway that it asks, and the service."""

    port: int
    served: Served
    service: RecordingService

    async def get(
        self, target: str, *fields: str, token: str | None = READ, method: str = "GET"
    ) -> bytes:
        """Send a request to the gateway in front, and return the response."""
        authorization = [f"Authorization: Bearer {token}"] if token else []
        lines = [f"{method} {target} HTTP/1.1", "Host: api.example.com", "Connection: close"]
        text = "\r\n".join([*lines, *authorization, *fields, "", ""])
        return await send(self.port, text.encode("latin-1"))

    async def status(
        self, target: str, *fields: str, token: str | None = READ, method: str = "GET"
    ) -> int:
        """Send a request, and return the status of the response."""
        response = await self.get(target, *fields, token=token, method=method)
        return int(response.split(b" ")[1])


@asynccontextmanager
async def run(case: Case, folder: Path, **server: object) -> AsyncIterator[Running]:
    async with serve_verified(**server) as served, record_requests() as service:
        text = case.read().replace("127.0.0.1:8000", f"{PROXY}:{served.port}")
        text = text.replace("127.0.0.1:9201", f"127.0.0.1:{service.port}")
        with case.run(folder, text) as proxy:
            yield Running(proxy.ports[0], served, service)


EVERYTHING = """
server {
    listen 127.0.0.1:PORT0;
    location / { proxy_pass http://127.0.0.1:8000; }
}
"""


@pytest.mark.parametrize("forward_auth", [False, True])
async def test_a_client_of_a_proxy_that_passes_everything_on_can_ask_if_forward_auth_is_on(
    forward_auth: bool, tmp_path: Path
) -> None:
    """It is off unless it is set; with it, the configurations of the pages deny the path."""
    named = ("X-Original-Method: GET", "X-Original-URI: /inventory/a")
    async with serve_verified(forward_auth=forward_auth) as served:
        text = EVERYTHING.replace("127.0.0.1:8000", f"{PROXY}:{served.port}")
        with run_nginx(tmp_path, text) as proxy:
            running = Running(proxy.ports[0], served, RecordingService())
            response = (await running.get("/auth/verify", *named)).lower()
    assert response.startswith(b"http/1.1 200 " if forward_auth else b"http/1.1 404 ")
    for field in (b"authorization: bearer", b"x-user-id: u1"):
        assert (field in response) == forward_auth


@CASES
async def test_the_rules_are_those_of_the_gateway(case: Case, tmp_path: Path) -> None:
    async with run(case, tmp_path) as it:
        assert await it.status("/inventory/a?x=%2F") == 200
        assert await it.status("/inventory/a", method="DELETE") == 200
        assert await it.status("/inventory/a", method="HEAD") == 200
        assert await it.status("/inventory/public/1", token=None) == 200
        assert len(it.service.received) == 4
        assert it.service.received[0].target == "/inventory/a?x=%2F"
        assert await it.status("/inventory/a", token=None) == 401
        assert await it.status("/inventory/a", token="bad") == 401
        assert await it.status("/inventory/a", token="u1-other") == 403
        assert await it.status("/inventory/a", token="later") == 503
        assert await it.status("/inventory//a") == 400
        assert await it.status("/inventory/a", method="OPTIONS", token=None) == 401
        assert await it.status("/auth/verify") in {200, 404}  # Caddy serves an empty page
        assert len(it.service.received) == 4
        assert await it.status("/inventory/a?status=500") == 500  # the service's own


@CASES
async def test_the_host_of_the_client_is_checked(case: Case, tmp_path: Path) -> None:
    for hosts, expected in ((["api.example.com"], {200}), (["other.test"], {421, 503})):
        async with run(case, tmp_path, allowed_hosts=hosts) as it:
            assert await it.status("/inventory/a") in expected


@CASES
async def test_a_limit_is_told_with_its_fields(case: Case, tmp_path: Path) -> None:
    async with run(case, tmp_path) as it:
        assert [await it.status("/inventory/limited/1") for _ in range(2)] == [200, 200]
        response = (await it.get("/inventory/limited/1")).lower()
        assert response.startswith(b"http/1.1 429 ")
        for field in (b"retry-after: ", b'ratelimit: "users";r=0', b'ratelimit-policy: "users"'):
            assert field in response
        assert len(it.service.received) == 2


SPELLINGS = [
    "X-User-Id", "x-user-id", "X_User_Id", "X-User_Id", "X-USER-ID", "X-User-Issuer",
    "X-User-Scopes", "X-User-Tenant", "X-User-Service", "X_User_Tenant", "X_USER_SERVICE",
]  # fmt: skip


@CASES
@pytest.mark.parametrize(
    ("target", "token"), [("/inventory/a", READ), ("/inventory/public/1", None)]
)
async def test_no_identity_of_the_client_reaches_the_service(
    case: Case, target: str, token: str | None, tmp_path: Path
) -> None:
    async with run(case, tmp_path) as it:
        assert await it.status(target, *(f"{it}: admin" for it in SPELLINGS), token=token) == 200
        (received,) = it.service.received
        plain = [(name, value) for name, value in received.fields if "_" not in name]
        assert "admin" not in [value for _, value in plain]
        assert received.get("x-user-tenant") in ([], ["%C3%A9"], ["admin", "admin"])
        if token:
            assert "u1" in received.get("x-user-id")
            assert received.get("x-user-issuer") == ["https://login.test"]


@CASES
async def test_the_token_of_the_caller_gives_way_to_the_internal_one(
    case: Case, tmp_path: Path
) -> None:
    async with run(case, tmp_path) as it:
        assert await it.status("/inventory/a") == 200
        assert await it.status("/inventory/public/1") == 200
        verified, public = (received.get("authorization") for received in it.service.received)
        (token,) = verified
        assert jwt.get_unverified_claims(token.removeprefix("Bearer "))["aud"] == "inventory"
        assert public == []


@CASES
async def test_cookies_and_tokens_reach_the_service_of_a_route_that_forwards_them(
    case: Case, tmp_path: Path
) -> None:
    async with run(case, tmp_path) as it:
        for path in ("/inventory/a", "/inventory/public/1", "/inventory/forward/1"):
            assert await it.status(path, "Cookie: session=1") == 200
        other, public, forwarded = it.service.received
        for received in (other, public):
            assert received.get("cookie") == []
            assert f"Bearer {READ}" not in received.get("authorization")
        assert forwarded.get("cookie") == ["session=1"]
        assert forwarded.get("authorization") == [f"Bearer {READ}"]


@CASES
async def test_the_uri_that_was_checked_is_the_one_that_is_passed_on(
    case: Case, tmp_path: Path
) -> None:
    targets = ["/inventory/a%20b/c", "/inventory/%7e~!$&'()*+,=:@", "/inventory/%C3%A9?a=%zz&b=%2e"]
    targets += [f"/inventory{it}" for it in (*write_invalid("/a"), *write_similar("/a"))]
    targets += [f"/inventory/x/{up}/a" for up in ("..", ".", "%2e%2e", "..%2f..", "..;", "...")]
    targets += ["/inventory/a%2Fb", "/inventory/a%5Cb", "/inventory/a;b", "/inventory%2Fa"]
    targets += ["/x/../inventory/a", "/INVENTORY/a", "/inventory/a#b", "/inventory/\xe9"]
    targets += [f"http://{host}/inventory/a?b" for host in ("api.example.com", "other.test")]
    async with run(case, tmp_path) as it:
        for target in targets:
            it.service.received.clear()
            it.served.log.clear()
            await it.get(target)
            checked = [line.get("original_path") for line in it.served.log.completed]
            for received in it.service.received:
                path = received.target.partition("?")[0]
                assert checked == [path], target
                if "#" not in target:  # Caddy escapes it, before it asks
                    assert target.endswith(received.target), target
                assert not any(bad in path for bad in ("//", "..", "%2F", "%2f", ";", "\\")), target


@CASES
async def test_fields_that_the_client_sends_cannot_name_another_request(
    case: Case, tmp_path: Path
) -> None:
    forged = [
        "X-Original-Method: GET", "X-Original-URI: /inventory/public/1",
        "X-Original-URL: https://x/inventory/public/1",
        "X-Forwarded-Method: GET", "X-Forwarded-Uri: /inventory/public/1",
    ]  # fmt: skip
    async with run(case, tmp_path) as it:
        for fields in ([*forged], forged[:2], forged[3:], forged[:1] + forged[2:3]):
            assert await it.status("/inventory/a", *fields, token=None) in {400, 401}
        assert it.service.received == []


@CASES
async def test_concurrent_requests_keep_their_callers(case: Case, tmp_path: Path) -> None:
    async with run(case, tmp_path) as it:
        callers = [f"user{number}" for number in range(40)]
        statuses = await asyncio.gather(
            *(it.status(f"/inventory/{name}", token=f"{name}-inventory_read") for name in callers)
        )
        assert statuses == [200] * len(callers)
        found = {received.target: received.get("x-user-id") for received in it.service.received}
        assert found == {f"/inventory/{name}": [name] for name in callers}


@CASES
async def test_a_ticket_opens_a_stream_once(case: Case, tmp_path: Path) -> None:
    async with run(case, tmp_path) as it:
        ticket = await issue(it.served, "/inventory/stream/1", READ)
        target = f"/inventory/stream/1?ticket={ticket}"
        assert [await it.status(target, token=None) for _ in range(2)] == [200, 401]
        (received,) = it.service.received
        assert received.get("x-user-id") == ["u1"]


@CASES
async def test_a_websocket_handshake_needs_a_token(case: Case, tmp_path: Path) -> None:
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "a" * 22]
    async with run(case, tmp_path) as it:
        assert await it.status("/inventory/socket", *upgrade, token=None) == 401
        assert it.service.received == []
        assert await it.status("/inventory/socket", *upgrade) == 200  # the service declines


@CASES
async def test_uploads_quiet_streams_and_websockets_reach_the_service(
    case: Case, tmp_path: Path
) -> None:
    service = LongExchanges()
    async with serve_verified() as served:
        upstream = await asyncio.start_server(service, "127.0.0.1", 0)
        text = case.read().replace("127.0.0.1:8000", f"{PROXY}:{served.port}")
        port = upstream.sockets[0].getsockname()[1]
        text = text.replace("127.0.0.1:9201", f"127.0.0.1:{port}")
        text += SHORT_DEFAULTS if case is NGINX else ""
        with case.run(tmp_path, text) as proxy:
            token = f"Authorization: Bearer {READ}\r\n".encode()
            await exchange_all(service, proxy.ports[0], b"/inventory/a", token, None)
        upstream.close()


@CASES
async def test_nothing_passes_while_the_gateway_does_not_respond(
    case: Case, tmp_path: Path
) -> None:
    async with record_requests() as service:
        text = case.read().replace("127.0.0.1:8000", f"127.0.0.1:{find_free_port()}")
        text = text.replace("127.0.0.1:9201", f"127.0.0.1:{service.port}")
        with case.run(tmp_path, text) as proxy:
            request = b"GET /inventory/public/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            response = await send(proxy.ports[0], request)
            assert response.split(b" ")[1] in {b"502", b"503"}
            assert service.received == []
