"""A gateway behind a proxy, and a raw client of the proxy with an address of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from gateway.auth import public
from gateway.client_ip import explain_ignored_fields, find_client_address
from gateway.settings.schema import Server, Settings
from tests.gateway.errors.served import Served, serve
from tests.gateway.middleware.test_target_validation import build_router
from tests.gateway.proxy.recorded_proxy import exchange_until_quiet
from tests.gateway.transport.certificate_authority import Authority

QUIET_SECONDS = 0.5  # after which a proxy that sends nothing waits for the rest of a request

PROXY_ADDRESS, CLIENT_ADDRESS = "127.0.0.2", "127.0.0.9"

TLS_NAME = "api.example.com"  # of the certificates of the proxies


@asynccontextmanager
async def serve_gateway(proxy: str = PROXY_ADDRESS, **options: Any) -> AsyncIterator[Served]:
    """Serve a gateway that trusts this proxy; `options` are further settings of the server."""
    router = build_router()
    router.include_router(address_router)
    server = Server(trusted_proxies=(ip_network(proxy),), **options)
    async with serve(router, settings=Settings(server=server)) as served:
        yield served


address_router = APIRouter(dependencies=[public("a test")])


@address_router.get("/address")
async def get_address(request: Request) -> str:
    server = request.app.state.settings.server
    client = find_client_address(request, server)
    doubt = client.doubt or explain_ignored_fields(request, server)
    return f"{client.ip} {doubt}".rstrip()


def issue_chain(authority: Authority, folder: Path) -> Path:
    """Issue a certificate for TLS_NAME; return a file with it and its key."""
    chain = folder / "chain.pem"
    chain.write_bytes(b"".join(file.read_bytes() for file in authority.issue(TLS_NAME)))
    return chain


async def send(port: int, request: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send bytes, and return what is received until the end, or until the proxy is quiet."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        port,
        ssl=tls,
        server_hostname=TLS_NAME if tls else None,
        local_addr=(CLIENT_ADDRESS, 0),
    )
    return await exchange_until_quiet(reader, writer, request, QUIET_SECONDS)


def build_get(target: str, host: str, *fields: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def read_address(
    port: int, *fields: str, host: str = "x", tls: ssl.SSLContext | None = None
) -> str:
    """Return the client address that the gateway finds, and its doubt."""
    response = await send(port, build_get("/address", host, *fields), tls)
    return response.rpartition(b"\r\n\r\n")[2].decode().strip('"')
