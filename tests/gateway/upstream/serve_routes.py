"""Serves respx routes on a socket, for clients that use the direct sender."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import respx

from gateway.transport.origin import Origin, OriginConnector
from gateway.transport.tls import ClientTls
from tests.gateway.transport.scripted_server import Peer, serve_script


@asynccontextmanager
async def serve_routes(
    router: respx.Router, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Serve the routes on a free port, and open every connection to that port."""

    async def script(peer: Peer) -> None:
        while True:
            response = await router.async_handler(_parse(await peer.read_request(), url))
            assert response is not None
            peer.send(await _serialize(response))

    async with serve_script(script) as server:
        origin_of_server = Origin.from_url(httpx.URL(server.url))

        def connect_to_server(_: Origin, tls: ClientTls) -> OriginConnector:
            return OriginConnector(origin_of_server, tls)

        monkeypatch.setattr("gateway.transport.transport.OriginConnector", connect_to_server)
        yield


def _parse(message: bytes, url: str) -> httpx.Request:
    head, _, body = message.partition(b"\r\n\r\n")
    start, *lines = head.decode("ascii").split("\r\n")
    method, target, _ = start.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Request(method, httpx.URL(url).join(target), headers=headers, content=body)


async def _serialize(response: httpx.Response) -> bytes:
    body = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]
    lines = [b"%b: %b\r\n" % field for field in response.headers.raw]
    if "content-length" not in response.headers and response.status_code not in {204, 304}:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    return b"HTTP/1.1 %d X\r\n%b\r\n%b" % (response.status_code, b"".join(lines), body)
