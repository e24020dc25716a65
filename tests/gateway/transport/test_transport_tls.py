"""Over TLS only a server with a valid certificate gets a request."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    Peer,
    respond_and_close,
    respond_with,
    serve_script,
)


@pytest.fixture
async def trusting(no_leaks: None, authority: Authority) -> AsyncIterator[Transport]:
    async with Transport(tls=authority.make_client_context()) as transport:
        yield transport


async def send(transport: Transport, url: str) -> bytes:
    request = httpx.Request("GET", url, extensions={"timeout": {"connect": 5, "read": 5}})
    return await (await transport.handle_async_request(request)).aread()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_with_a_valid_certificate(
    trusting: Transport, authority: Authority, host: str
) -> None:
    async with serve_script(
        respond_with(HELLO, HELLO), tls=authority.make_server_context(host)
    ) as server:
        url = server.url.replace("127.0.0.1", host)
        assert await send(trusting, url) == b"hello"
        assert await send(trusting, url) == b"hello"
        assert server.connections == 1
        await trusting.aclose()


@pytest.mark.parametrize(
    ("host", "days"), [("service.test", 30), ("127.0.0.2", 30), ("127.0.0.1", 0)]
)
async def test_the_wrong_host_or_a_certificate_that_has_expired(
    trusting: Transport, authority: Authority, host: str, days: int
) -> None:
    async with serve_script(
        respond_with(HELLO), tls=authority.make_server_context(host, days=days)
    ) as server:
        with pytest.raises(httpx.ConnectError):
            await send(trusting, server.url)


async def test_an_unknown_certificate_authority(no_leaks: None, authority: Authority) -> None:
    async with (
        serve_script(respond_with(HELLO), tls=authority.make_server_context("127.0.0.1")) as server,
        Transport() as transport,
    ):
        with pytest.raises(httpx.ConnectError) as caught:
            await send(transport, server.url)
        assert "certificate not valid: unable to get local issuer certificate" in str(caught.value)


async def test_a_server_that_speaks_no_tls(trusting: Transport) -> None:
    async def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.wait_closed()

    async with serve_script(script) as server:
        with pytest.raises(httpx.ConnectError):
            await send(trusting, server.url.replace("http:", "https:"))


async def test_large_responses_and_responses_until_the_close(
    trusting: Transport, authority: Authority
) -> None:
    body = bytes(range(256)) * 8_000
    async with serve_script(
        respond_and_close(OK + b"\r\n" + body), tls=authority.make_server_context("127.0.0.1")
    ) as server:
        assert await send(trusting, server.url) == body


async def test_cancelling_closes_the_socket(trusting: Transport, authority: Authority) -> None:
    requested, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        requested.set()
        await peer.wait_closed()
        closed.set()

    async with serve_script(script, tls=authority.make_server_context("127.0.0.1")) as server:
        call = asyncio.create_task(send(trusting, server.url))
        await asyncio.wait_for(requested.wait(), 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(closed.wait(), 60)


async def test_an_idle_connection_is_closed_with_the_transport(
    no_leaks: None, authority: Authority
) -> None:
    tls = authority.make_server_context("127.0.0.1")
    async with (
        serve_script(respond_with(HELLO), tls=tls) as server,
        Transport(tls=authority.make_client_context()) as transport,
    ):
        assert await send(transport, server.url) == b"hello"
