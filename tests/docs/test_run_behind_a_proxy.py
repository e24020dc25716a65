"""The configurations of run-behind-a-proxy.md, run by the proxies themselves."""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.proxy import Proxy as ProxiedRoute
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.e2e.long_exchanges import UPLOAD, LongExchanges, exchange_all
from tests.e2e.proxied_gateway import (
    CLIENT_ADDRESS,
    TLS_NAME,
    build_get,
    issue_chain,
    read_address,
    send,
    serve_gateway,
)
from tests.e2e.proxy_process import Proxy, run_caddy, run_haproxy, run_nginx
from tests.gateway.middleware.path_spellings import write_invalid
from tests.gateway.proxy.serve_proxy import serve_proxy
from tests.gateway.proxy.websocket.open_tunnel import PROXY as WEBSOCKET
from tests.gateway.proxy.websocket.open_tunnel import echo, open_raw_tunnels, open_tunnels
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import HELLO, Peer

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-proxy.md"
BLOCKS = {block.language: block.text for block in parse_blocks(PAGE)}
FORGED = ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9")

Run = Callable[[Path, str], AbstractContextManager[Proxy]]


QUIET_SECONDS = 1.0

# With timeouts for requests that are shorter than QUIET_SECONDS.
NGINX = "proxy_read_timeout 500ms;\n" + BLOCKS["nginx"]
HAPROXY = (
    "defaults\nmode http\ntimeout connect 5s\ntimeout client 500ms\ntimeout server 500ms\n"
    + BLOCKS["haproxy"]
)


@dataclass(frozen=True)
class Case:
    """A configuration of the page, how it is run, and what is replaced in it."""

    run: Run
    text: str
    old: str
    new: str
    header: str | None = None

    @contextmanager
    def open(self, folder: Path, gateway: int) -> Iterator[tuple[int, ssl.SSLContext]]:
        """Run the proxy; yield its port, and the TLS of its clients."""
        authority = Authority(folder)
        chain = str(issue_chain(authority, folder))
        assert self.old in self.text
        text = self.text.replace(self.old, self.new, 1)
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{gateway}")
        text = text.replace("/etc/ssl/api.pem", chain).replace("CHAIN", chain)
        with self.run(folder, text) as proxy:
            yield proxy.ports[0], authority.make_client_context()


CASES = pytest.mark.parametrize(
    "case",
    [
        Case(run_nginx, NGINX, "443 ssl", "127.0.0.1:PORT0 ssl"),
        Case(
            run_caddy,
            BLOCKS["caddy"],
            "com {",
            "com:PORT0 {\ntls CHAIN CHAIN",
            header="x-forwarded-for",
        ),
        Case(run_haproxy, HAPROXY, ":443", "127.0.0.1:PORT0"),
    ],
    ids=["nginx", "caddy", "haproxy"],
)


@CASES
async def test_the_configuration_of_the_page(tmp_path: Path, case: Case) -> None:
    options = {"client_address_header": case.header, "forward_auth": True}
    async with serve_gateway("127.0.0.1", **options) as served:
        with case.open(tmp_path, served.port) as (port, tls):
            assert await read_address(port, *FORGED, host=TLS_NAME, tls=tls) == CLIENT_ADDRESS
            value = await send(port, build_get("/general/names/a%2Fb%20c", TLS_NAME), tls)
            assert b'{"values":["a/b c"]}' in value
            for target in ["/readyz", "/healthz", *write_invalid("/readyz")]:
                response = await send(port, build_get(target, TLS_NAME), tls)
                assert b"HTTP/1.1 200 " not in response, target
            for target in ["/auth/verify", "/auth/verify/", "/auth/verify/general/names/a"]:
                response = await send(port, build_get(target, TLS_NAME), tls)
                assert response.startswith(b"HTTP/1.1 403 "), target
                assert b"x-request-id" not in response.lower(), "the gateway has responded"


@CASES
async def test_a_client_cannot_choose_the_host_and_the_port_that_a_service_sees(
    tmp_path: Path, case: Case
) -> None:
    seen = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        seen.set_result(await peer.read_request())
        peer.send(HELLO)

    server = {"trusted_proxies": ["127.0.0.0/8"], "client_address_header": case.header}
    forged = ("X-Forwarded-Host: evil.example:444", "X-Forwarded-Port: 445")
    async with serve_proxy(script, server=server) as served:
        gateway = int(served.server.url.rpartition(":")[2])
        with case.open(tmp_path, gateway) as (port, tls):
            response = await send(port, build_get("/service/x", TLS_NAME, *forged), tls)
    assert response.startswith(b"HTTP/1.1 200 ")
    lines = (await seen).lower().splitlines()
    fields = [line for line in lines if line.startswith((b"x-forwarded-h", b"x-forwarded-port"))]
    host = b"x-forwarded-host: " + TLS_NAME.encode()
    assert sorted(fields) == [host, b"x-forwarded-port: 443"]


def test_the_timeouts_are_longer_than_a_stream_may_be_quiet() -> None:
    default = ProxiedRoute("/a/{path:path}", to="a", requires=()).idle_timeout
    names = r"(?:proxy_read_timeout|proxy_send_timeout|timeout client|timeout server) (\d+)s"
    found = re.findall(names, BLOCKS["nginx"] + BLOCKS["haproxy"])
    assert len(found) == 4
    assert all(int(seconds) > default for seconds in found)


@CASES
async def test_uploads_quiet_streams_and_websockets_of_proxied_routes(
    tmp_path: Path, case: Case
) -> None:
    service = LongExchanges()
    server = {"trusted_proxies": ["127.0.0.0/8"], "client_address_header": case.header}
    async with open_raw_tunnels(
        service, server=server, path="/chat/{path:path}", max_body_bytes=UPLOAD
    ) as served:
        with case.open(tmp_path, served.port) as (port, tls):
            await exchange_all(service, port, b"/chat/1", b"", tls)


@CASES
async def test_websockets_pass_and_close_through_the_proxy_of_the_page(
    tmp_path: Path, case: Case
) -> None:
    server = {"trusted_proxies": ["127.0.0.0/8"], "client_address_header": case.header}
    proxies = [replace(WEBSOCKET, path="/chat/{path:path}")]
    async with open_tunnels(echo, proxies=proxies, server=server) as served:
        with case.open(tmp_path, served.port) as (port, tls):

            def open_client(**options: Any) -> connect:
                uri = f"wss://{TLS_NAME}/chat/room/1"
                return connect(uri, host="127.0.0.1", port=port, ssl=tls, proxy=None, **options)

            async with open_client(origin=f"https://{TLS_NAME}") as client:
                for message in ("hi", "x" * 100_000, b"\x00\xff"):
                    await client.send(message)
                    assert await client.recv() == message
                await asyncio.sleep(QUIET_SECONDS)
                await (await client.ping())
                await client.close(4000, "done")
            assert client.close_code == 4000
            with pytest.raises(InvalidStatus) as refused:
                await open_client(origin="https://evil.example")
            assert refused.value.response.status_code == 403
            left = await open_client()
            await left.send("hi")
            await left.recv()
            served.shutdown()
            with pytest.raises(ConnectionClosed):
                await left.recv()
            assert left.close_code == 1001
