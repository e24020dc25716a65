"""Whether the proxy or the provider behind it cannot be reached."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.auth.jwks.document import DocumentUnavailable, get_document
from gateway.auth.jwks.fetch import open_client

URL = "https://id.example.test/keys"


@asynccontextmanager
async def serve_tunnel() -> AsyncIterator[str]:
    """Accept every CONNECT, and respond to the ClientHello in plain HTTP."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def find_message(proxy: str) -> str:
    async with open_client(proxy=proxy) as client:
        with pytest.raises(DocumentUnavailable) as failed:
            await get_document(client, URL, 1_000)
    return str(failed.value)


async def test_a_proxy_that_refuses_connections() -> None:
    assert await find_message("http://user:hunter2@127.0.0.1:1") == (
        f"{URL}: the proxy of tokens.keys_proxy cannot be reached: the connection was refused"
    )


async def test_a_proxy_whose_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail, raising=False)
    assert await find_message("http://proxy.invalid:3128") == (
        f"{URL}: the proxy of tokens.keys_proxy cannot be reached: "
        "the host name cannot be resolved: Name or service not known"
    )


async def test_a_provider_behind_the_proxy_that_speaks_no_tls() -> None:
    async with serve_tunnel() as proxy:
        message = await find_message(proxy)
    assert message.startswith(f"{URL}: the TLS handshake failed: this port speaks no TLS")


async def test_loopback_is_called_without_the_proxy() -> None:
    async with open_client(proxy="http://127.0.0.1:1") as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:2/")
