"""`HttpProtocol` on a socket, without the rest of the server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from gateway.server.connections import ClientTimeouts, OpenConnections
from gateway.server.protocol import HttpProtocol
from gateway.server.uvicorn_internals import ServerState


@asynccontextmanager
async def serve_app(
    app: ASGIApp,
    state: ServerState | None = None,
    tls: ssl.SSLContext | None = None,
    timeouts: ClientTimeouts | None = None,
) -> AsyncIterator[int]:
    """Serve `app` for the length of the block, and return the port."""
    config = uvicorn.Config(
        app, http=HttpProtocol, lifespan="off", log_config=None, proxy_headers=False
    )
    config.load()
    known = state or ServerState()
    loop = asyncio.get_running_loop()
    connections = OpenConnections(timeouts or ClientTimeouts(), max_connections=1_000)
    connections.start(loop)
    server = await loop.create_server(
        lambda: HttpProtocol(config, known, {}, connections), "127.0.0.1", 0, ssl=tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        connections.stop()
        server.close()
        for connection in list(known.connections):
            assert isinstance(connection, HttpProtocol)
            connection.abort()
        await asyncio.sleep(0.01)
