"""Over TLS only a server with a valid certificate gets a request."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, answering, closing, scripted


@pytest.fixture
async def trusting(nothing_left: None, authority: Authority) -> AsyncIterator[Transport]:
    async with Transport(tls=authority.trusting()) as transport:
        yield transport


async def send(transport: Transport, url: str) -> bytes:
    request = httpx.Request("GET", url, extensions={"timeout": {"connect": 5, "read": 5}})
    return await (await transport.handle_async_request(request)).aread()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_with_a_valid_certificate(
    trusting: Transport, authority: Authority, host: str
) -> None:
    async with scripted(answering(HELLO, HELLO), tls=authority.serving(host)) as server:
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
    async with scripted(answering(HELLO), tls=authority.serving(host, days=days)) as server:
        with pytest.raises(httpx.ConnectError):
            await send(trusting, server.url)


async def test_an_unknown_certificate_authority(nothing_left: None, authority: Authority) -> None:
    async with (
        scripted(answering(HELLO), tls=authority.serving("127.0.0.1")) as server,
        Transport() as transport,
    ):
        with pytest.raises(httpx.ConnectError) as caught:
            await send(transport, server.url)
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_a_server_that_speaks_no_tls(trusting: Transport) -> None:
    async def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with scripted(script) as server:
        with pytest.raises(httpx.ConnectError):
            await send(trusting, server.url.replace("http:", "https:"))


async def test_large_responses_and_responses_until_the_close(
    trusting: Transport, authority: Authority
) -> None:
    body = bytes(range(256)) * 8_000
    async with scripted(closing(OK + b"\r\n" + body), tls=authority.serving("127.0.0.1")) as server:
        assert await send(trusting, server.url) == body


async def test_cancelling_closes_the_socket(trusting: Transport, authority: Authority) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        gone.set()

    async with scripted(script, tls=authority.serving("127.0.0.1")) as server:
        call = asyncio.create_task(send(trusting, server.url))
        await asyncio.wait_for(asked.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(gone.wait(), 5)


async def test_an_idle_connection_is_closed_with_the_transport(
    nothing_left: None, authority: Authority
) -> None:
    tls = authority.serving("127.0.0.1")
    async with (
        scripted(answering(HELLO), tls=tls) as server,
        Transport(tls=authority.trusting()) as transport,
    ):
        assert await send(transport, server.url) == b"hello"
