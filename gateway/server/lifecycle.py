"""Starts the server on a real socket, and stops it without losing a request in flight."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI

from gateway.server.listener import open_listener
from gateway.server.protocol import HttpProtocol
from gateway.server.uvicorn_internals import ServerState, UvicornRunner
from gateway.settings.schema import Server

CANCELLATION_GRACE_SECONDS = 1.0  # for requests that were cancelled to run their cleanup


@asynccontextmanager
async def open_server(app: FastAPI, settings: Server) -> AsyncIterator[str]:
    """Serve `app` for the length of the block, and return its base URL; port 0 takes a free port.

    On leaving, no new request is accepted, and requests in flight get `shutdown_seconds` to
    complete before they are cancelled.

    Raises:
        InvalidSettings: the host is not an address of this machine.
        AddressUnavailable: the server cannot listen on the port.
    """
    with open_listener(settings.host, settings.port) as listener:
        async with app.router.lifespan_context(app), _run_server(app, settings, listener):
            host, port = listener.getsockname()[:2]
            yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"


@asynccontextmanager
async def _run_server(
    app: FastAPI, settings: Server, listener: socket.socket
) -> AsyncIterator[None]:
    server = UvicornRunner(_create_config(app, settings), listener)
    await server.start()
    try:
        yield
    finally:
        await server.stop()
        await _abort_remaining(server.state)


async def _abort_remaining(state: ServerState) -> None:
    """Wait for cancelled requests to end, then abort the connections that are still open."""
    if state.tasks:
        await asyncio.wait(state.tasks.copy(), timeout=CANCELLATION_GRACE_SECONDS)
    for connection in state.connections.copy():
        cast("HttpProtocol", connection).abort()
    await asyncio.sleep(0)


def _create_config(app: FastAPI, settings: Server) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",  # `open_server` enters it, so that its errors are raised there
        log_config=None,
        log_level="warning",  # `gateway.started` and `gateway.stopping` report the rest
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the rate limiter decides which proxies to trust (trusted_proxies)
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
