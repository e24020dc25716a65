"""An app on a real socket: uvicorn inside the running loop, stopped without losing a request."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from gateway.server.protocol import HttpProtocol
from gateway.settings.schema import Server

BACKLOG = 2_048
LAST_SECONDS = 1.0


class AddressUnavailable(Exception):
    """The gateway cannot listen where the settings say."""


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command, which has more to close than this server."""
        yield


@asynccontextmanager
async def serve(app: FastAPI, server: Server) -> AsyncIterator[str]:
    """Serve `app` for the length of the block; gives its base URL. Port 0 takes any free one.

    On leaving, no new request is taken, and those that run have `shutdown_seconds` to finish.

    Raises:
        AddressUnavailable: host and port cannot be listened on.
    """
    with _listen(server.host, server.port) as listener:
        async with app.router.lifespan_context(app), _running(app, server, listener):
            host, port = listener.getsockname()[:2]
            yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"


@asynccontextmanager
async def _running(app: FastAPI, server: Server, listener: socket.socket) -> AsyncIterator[None]:
    running = _Uvicorn(_config(app, server))
    running.config.load()
    running.lifespan = running.config.lifespan_class(running.config)
    await running.startup(sockets=[listener])
    ticking = asyncio.create_task(running.main_loop())
    try:
        yield
    finally:
        running.should_exit = True
        await ticking
        await running.shutdown(sockets=[listener])
        await _cut_off(running.server_state)


async def _cut_off(left: ServerState) -> None:
    """See what was cancelled to its end, and leave the clients that have not left."""
    if left.tasks:
        await asyncio.wait(left.tasks.copy(), timeout=LAST_SECONDS)
    for connection in left.connections.copy():
        cast("HttpProtocol", connection).abort()
    await asyncio.sleep(0)


def _config(app: FastAPI, server: Server) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",  # entered above, so that what goes wrong in it is raised there
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe is for the limiter to decide, by trusted_proxies
        timeout_graceful_shutdown=server.shutdown_seconds,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressUnavailable(
            f"server.port: cannot listen on {host}:{port}: {error.strerror}; "
            "set LOCKGATE_SERVER__PORT to a free one"
        ) from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
