"""What the log says about keys that cannot be fetched: certificates, DNS, connections, proxies."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.auth.jwks.document import DocumentUnavailable, get_document
from gateway.auth.jwks.fetch import open_client
from tests.gateway.auth.identity_provider import IdentityProvider
from tests.gateway.transport.certificate_authority import Authority


async def find_message(client: httpx.AsyncClient, url: str) -> str:
    """Return the message of a failed fetch, without the URL that it begins with."""
    with pytest.raises(DocumentUnavailable) as raised:
        await get_document(client, url, 1_000)
    return str(raised.value).removeprefix(f"{url}: ")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize(
    ("host", "days", "is_trusted", "fault"),
    [
        ("127.0.0.1", 0, True, "certificate has expired"),
        ("127.0.0.2", 30, True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("other.test", 30, True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        (
            "127.0.0.1",
            30,
            False,
            "unable to get local issuer certificate: the CA is unknown; set tls.ca_file",
        ),
    ],
)
async def test_the_fault_of_a_certificate(
    authority: Authority, host: str, days: int, *, is_trusted: bool, fault: str
) -> None:
    idp = IdentityProvider()
    context = authority.make_client_context() if is_trusted else ssl.create_default_context()
    async with (
        idp.serve(authority.make_server_context(host, days=days)),
        httpx.AsyncClient(verify=context, trust_env=False) as client,
    ):
        message = await find_message(client, f"{idp.origin}/keys")
    assert message.rstrip(".") == f"the certificate is not trusted: {fault}"


@asynccontextmanager
async def serve_refusal(status: str) -> AsyncIterator[str]:
    """Listen for any bytes, and respond with a status in plain HTTP."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_plain_http_behind_an_https_url() -> None:
    async with serve_refusal("400 Bad Request") as address, open_client() as client:
        message = await find_message(client, f"https://{address}/keys")
    assert message.startswith("the TLS handshake failed: this port speaks no TLS")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/keys", "the connection was refused"),
        ("https://localhost:1/keys", "the connection was refused"),
    ],
)
async def test_the_fault_of_a_connection(url: str, message: str) -> None:
    async with open_client() as client:
        assert (await find_message(client, url)).startswith(message)


async def test_the_fault_of_a_proxy() -> None:
    async with (
        serve_refusal("407 Proxy Authentication Required") as address,
        open_client(proxy=f"http://user:hunter2@{address}") as client,
    ):
        message = await find_message(client, "https://id.example.test/keys")
    assert message == "the proxy refused the connection: 407 Proxy Authentication Required"


async def test_a_host_name_that_cannot_be_resolved() -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        raise httpx.ConnectError("failed") from cause

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        message = await find_message(client, "https://nowhere.invalid/keys")
    assert message == "the host name cannot be resolved: Name or service not known"


async def test_an_unforeseen_fault_is_named() -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("a\nb" + "c" * 500)

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        message = await find_message(client, "https://id.example.test/keys")
    assert message == "RemoteProtocolError: a b" + "c" * 197
