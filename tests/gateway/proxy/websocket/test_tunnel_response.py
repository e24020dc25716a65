"""The response that opens a tunnel gives up its connection if it is never sent."""

import asyncio
from contextlib import suppress

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.proxy.websocket.websocket_forwarding import WebSocketForwarding
from tests.gateway.proxy.websocket.open_tunnel import ACCEPTED, open_raw_tunnels


async def test_a_tunnel_that_is_never_opened_gives_up_its_connection(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, ended = asyncio.Event(), asyncio.Event()
    serve = WebSocketForwarding.serve

    async def serve_slowly(self: WebSocketForwarding, request: Request) -> Response:
        response = await serve(self, request)
        reached.set()
        await asyncio.Event().wait()  # as the cleanup of a dependency may
        return response

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ACCEPTED)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    monkeypatch.setattr(WebSocketForwarding, "serve", serve_slowly)
    async with open_raw_tunnels(script) as served:
        caller = await served.open_raw()
        await asyncio.wait_for(reached.wait(), 60)
        assert served.streams.count == 1
        caller.writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 60)
        await served.wait_for_end()
